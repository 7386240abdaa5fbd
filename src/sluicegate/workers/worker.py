"""A worker process: serves on a socket it was given, and does what the supervisor says.

Started as `python -m sluicegate.workers.worker CHANNEL LISTENING`, two inherited descriptors.
"""

import asyncio
import contextlib
import signal
import socket
import sys

from sluicegate import collector
from sluicegate.config.load import Loaded
from sluicegate.errors import SluicegateError
from sluicegate.loop import run
from sluicegate.serving import Serving
from sluicegate.tasks import spawn
from sluicegate.workers.channel import Channel
from sluicegate.workers.messages import (
    Accepting,
    Answer,
    AskReport,
    Configure,
    Configured,
    Drain,
    EndNow,
    Failed,
    Order,
    Report,
)

COULD_NOT_START = 2


class Worker:
    """Serves until told to drain, by the supervisor, by its end or by SIGTERM; none of them counts twice."""

    def __init__(self, channel: Channel[Answer, Order], serving: Serving) -> None:
        self._channel = channel
        self._serving = serving
        self._stop = asyncio.Event()

    async def run(self, listening: socket.socket) -> None:
        """Accept clients, and return when they are all served."""
        await self._serving.start(listening)
        collector.rest()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop.set)
        self._channel.send(Accepting())
        obeying = spawn(self._obey(), name="orders")
        await self._stop.wait()
        self._serving.stop_accepting()
        await self._serving.until_idle()
        await self._serving.disconnect()
        obeying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await obeying
        self._channel.send(self._report(last=True))
        await self._channel.flush()

    async def _obey(self) -> None:
        while (order := await self._channel.receive()) is not None:
            match order:
                case AskReport():
                    self._channel.send(self._report())
                case Configure(loaded):
                    self._channel.send(await self._configured(loaded))
                case Drain():
                    self._stop.set()
                case EndNow():
                    self._serving.cut_short()
                    self._stop.set()
        self._stop.set()  # the supervisor is gone: nobody would stop us any more

    async def _configured(self, loaded: Loaded) -> Configured:
        try:
            await self._serving.runtime.reload(loaded, announce=False)
        except Exception as error:
            return Configured(f"{type(error).__name__}: {error}")
        return Configured()

    def _report(self, *, last: bool = False) -> Report:
        runtime = self._serving.runtime
        return Report(
            status=runtime.status(listen="", ready=True),
            metrics=list(runtime.metrics.registry.collect()),
            connections=self._serving.connections,
            under_way=self._serving.under_way,
            last=last,
        )


async def work(connected: socket.socket, listening: socket.socket) -> int:
    """A worker's life; its exit code."""
    channel: Channel[Answer, Order] = await Channel.over(connected)
    first = await channel.receive()
    if not isinstance(first, Configure):
        return 0
    try:
        serving = Serving(first.loaded)
    except SluicegateError as error:
        channel.send(Failed(str(error), error.advice))
        await channel.flush()
        return COULD_NOT_START
    try:
        await Worker(channel, serving).run(listening)
    finally:
        await serving.runtime.close()
        channel.close()
    return 0


def main(channel_fd: int, listening_fd: int) -> int:
    """Run a worker on two inherited descriptors."""
    for number in (signal.SIGINT, signal.SIGHUP):  # these are for the supervisor
        signal.signal(number, signal.SIG_IGN)
    return run(work(socket.socket(fileno=channel_fd), socket.socket(fileno=listening_fd)))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
