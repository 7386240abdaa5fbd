"""What answers clients on one listening socket, from the first connection to the last response."""

import asyncio
import contextlib
import socket

from sluicegate import collector
from sluicegate.assemble import Runtime
from sluicegate.config.load import Loaded
from sluicegate.proxy.server import ProxyServer
from sluicegate.tasks import spawn

_SWEEP_EVERY_S = 10.0


class Serving:
    """The objects of a configuration (`runtime`) and the server in front of them."""

    def __init__(self, loaded: Loaded) -> None:
        """Open the stores. Must be called with a running event loop. Raises StartError, ConfigError."""
        self.runtime = Runtime(loaded)
        self._cut_short = asyncio.Event()
        self._sweeping: asyncio.Task[None] | None = None
        self._proxy = ProxyServer(
            self.runtime.addon, confdir=self.runtime.authority.confdir, upstream_roots=self.runtime.upstream_roots
        )

    @property
    def connections(self) -> int:
        """Client connections that are open."""
        return self._proxy.connections

    @property
    def under_way(self) -> int:
        """Requests whose response is not finished."""
        return self.runtime.addon.reception.active

    async def start(self, listening: socket.socket) -> None:
        """Accept clients."""
        await self._proxy.start(listening)
        self._sweeping = spawn(self._sweep(), name="collector")

    def stop_accepting(self) -> None:
        """Close the listening socket; what is under way goes on."""
        self._proxy.stop_accepting()

    async def until_idle(self) -> None:
        """Wait until no request is under way, for `drain_timeout` at most, or until `cut_short`."""
        waits = [
            spawn(self.runtime.addon.reception.until_idle(), name="drain"),
            spawn(self._cut_short.wait(), name="second signal"),
        ]
        _, unfinished = await asyncio.wait(
            waits, timeout=self.runtime.loaded.settings.drain_timeout, return_when=asyncio.FIRST_COMPLETED
        )
        for task in unfinished:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _sweep(self) -> None:
        """Collect what closed connections have left, when that is worth a pause."""
        swept = 0
        while True:
            await self.runtime.clock.sleep(_SWEEP_EVERY_S)
            closed = self._proxy.closed - swept
            if closed >= (collector.WORTH_ANY_PAUSE if self.under_way else collector.WORTH_A_PAUSE):
                collector.sweep()
                swept += closed

    def cut_short(self) -> None:
        """Do not wait for requests under way, now or later."""
        self._cut_short.set()

    async def disconnect(self) -> None:
        """Cut every connection. `runtime` is still there, and to be closed next."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._proxy.close()
