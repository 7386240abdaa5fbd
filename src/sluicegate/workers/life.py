"""One worker process, from its start to its end, as the supervisor sees it."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable
from typing import Self

from sluicegate.clock import Clock
from sluicegate.config.load import Loaded
from sluicegate.errors import StartError
from sluicegate.workers.channel import Channel
from sluicegate.workers.messages import Accepting, Answer, AskReport, Configure, Configured, Failed, Order, Report

WORKER = (sys.executable, "-P", "-m", "sluicegate.workers.worker")

RESPONSE_S = 1.0
"""A worker that takes longer to report is stuck, or has too much to do to be asked again."""


class Life:
    """A process and what it has said. `on_accepting` is called once it accepts clients."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        channel: Channel[Order, Answer],
        clock: Clock,
        on_accepting: Callable[[], None],
    ) -> None:
        self.accepts = False
        self.report: Report | None = None
        self.began = clock.now()
        self.settled: asyncio.Future[StartError | None] = asyncio.get_running_loop().create_future()
        """Whether it accepts (None), or ended without ever doing so."""
        self._process = process
        self._channel = channel
        self._clock = clock
        self._on_accepting = on_accepting
        self._failed: StartError | None = None
        self._asked: deque[tuple[float, asyncio.Future[Report]]] = deque()
        self._configuring: deque[asyncio.Future[Configured]] = deque()

    @classmethod
    async def begin(
        cls, listening: socket.socket, loaded: Loaded, clock: Clock, on_accepting: Callable[[], None]
    ) -> Self:
        """Start a process. It has a session of its own, so the terminal's Ctrl-C does not reach it. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = theirs.fileno(), listening.fileno()
            try:
                process = await asyncio.create_subprocess_exec(
                    *WORKER,
                    *map(str, descriptors),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=descriptors,
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        life = cls(process, await Channel.over(ours), clock, on_accepting)
        life.order(Configure(loaded))
        return life

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def lived_s(self) -> float:
        """Seconds since its start."""
        return self._clock.now() - self.began

    @property
    def responding(self) -> bool:
        """Whether it answers, as far as it was asked."""
        return not self._asked or self._clock.now() - self._asked[0][0] < RESPONSE_S

    def order(self, order: Order) -> None:
        """Tell it something that needs no answer."""
        self._channel.send(order)

    def ask(self) -> asyncio.Future[Report]:
        """Its report, made from now on; one that does not answer is not asked again before it has."""
        if not self.responding:
            return self._asked[-1][1]
        answer: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._asked.append((self._clock.now(), answer))
        self._channel.send(AskReport())
        return answer

    def configure(self, loaded: Loaded) -> asyncio.Future[Configured]:
        """Give it another configuration."""
        answer: asyncio.Future[Configured] = asyncio.get_running_loop().create_future()
        self._configuring.append(answer)
        self._channel.send(Configure(loaded))
        return answer

    def kill(self) -> None:
        """End it, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def until_end(self) -> str:
        """Listen to it until it has ended; how it did, for people."""
        while (answer := await self._channel.receive()) is not None:
            self._hear(answer)
        self._channel.close()
        ended = _how(await self._process.wait())
        how = f"{ended}: {self._failed}" if self._failed else ended
        self.accepts = False
        if not self.settled.done():
            self.settled.set_result(self._failed or StartError(f"A worker ended while it started ({ended})."))
        for _, report in self._asked:
            report.cancel()
        for configured in self._configuring:
            configured.cancel()
        return how

    def _hear(self, answer: Answer) -> None:
        match answer:
            case Accepting():
                self.accepts = True
                self.settled.set_result(None)
                self._on_accepting()
            case Failed(message, advice):
                self._failed = StartError(message, advice=advice)
            case Configured():
                _settle(self._configuring.popleft(), answer)
            case Report():
                self.report = answer
                if not answer.last and self._asked:
                    _settle(self._asked.popleft()[1], answer)


def _settle[T](waiting: asyncio.Future[T], answer: T) -> None:
    if not waiting.done():
        waiting.set_result(answer)


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}, {signal.Signals(-code).name}"
