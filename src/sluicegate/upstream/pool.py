"""The pool: connections to origins, shared by all clients.

Every open connection is in `_wires`; the idle ones are also in `_idle`, by origin, the last one used on top. `_queue`
holds the same idle ones, the longest idle first. One timer looks after all of them.
"""

import asyncio
from collections import Counter, OrderedDict
from dataclasses import dataclass, replace

from sluicegate.core.http import Origin
from sluicegate.errors import ConfigError, ConnectRefused, Problem
from sluicegate.upstream.dial import Dialer
from sluicegate.upstream.lease import Lease
from sluicegate.upstream.parent import ParentProxy
from sluicegate.upstream.settings import UpstreamPoolSettings
from sluicegate.upstream.tls import ResumingContext, client_context
from sluicegate.upstream.wire import Wire

_SWEEPS_PER_TIMEOUT = 8
_SWEEP_AT_LEAST_S = 0.01
_SWEEP_AT_MOST_S = 1.0


@dataclass(frozen=True, slots=True)
class OriginStats:
    """The connections of one origin. `open` is `idle` and `in_use` together."""

    open: int
    idle: int
    in_use: int


class Pool:
    """Connections to origins over HTTP/1.1; see `ports.UpstreamPool`. Belongs to one event loop.

    Time-outs and the end of idle connections are noticed up to an eighth of the shortest time-out late, and at most a
    second. Raises ConfigError if `parent_proxy` is no proxy URL.
    """

    def __init__(self, settings: UpstreamPoolSettings | None = None) -> None:
        self._settings = settings or UpstreamPoolSettings()
        self._parent = _parent(self._settings.parent_proxy)
        self._tls = self._settings.tls or client_context()
        self._dialer = Dialer(self._settings, self._tls, self._parent)
        self._wires: set[Wire] = set()
        self._idle: dict[Origin, list[Wire]] = {}
        self._queue: OrderedDict[Wire, None] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._interval_s = _sweep_interval(self._settings)
        self._closed = False
        self._emptied = asyncio.Event()

    def configure(self, settings: UpstreamPoolSettings) -> None:
        """Use other settings from now on; connections that are open keep the time-outs they were opened with.

        The parent proxy and the trusted roots stay those of the start.
        """
        self._settings = replace(settings, parent_proxy=self._settings.parent_proxy, tls=self._settings.tls)
        self._dialer = Dialer(self._settings, self._tls, self._parent)
        self._interval_s = _sweep_interval(self._settings)

    async def connect(self, origin: Origin, *, fresh: bool = False) -> Lease:
        self._refuse_if_closed()
        wire = None if fresh else self._checkout(origin)
        if wire is None:
            wire = await self._dialer.dial(origin, self._forget)
            self._adopt(wire)
        return Lease(wire, self, self._settings, self._parent)

    async def aclose(self) -> None:
        self._closed = True
        for wire in self._wires:
            wire.abort()
        while self._wires:
            self._emptied.clear()
            await self._emptied.wait()
        self._stop_timer()

    def stats(self) -> dict[Origin, OriginStats]:
        """The connections that are open now, by origin."""
        total = Counter(wire.origin for wire in self._wires)
        idle = {origin: len(self._idle.get(origin, ())) for origin in total}
        return {origin: OriginStats(count, idle[origin], count - idle[origin]) for origin, count in total.items()}

    def checkin(self, wire: Wire) -> None:
        """Keep a connection for the next exchange with its origin, or close it if it is of no more use."""
        if self._closed or not wire.usable:
            wire.abort()
            return
        if wire.carried and isinstance(self._tls, ResumingContext) and (secured := wire.ssl_object) is not None:
            self._tls.remember(secured)
        stack = self._idle.setdefault(wire.origin, [])
        stack.append(wire)
        self._queue[wire] = None
        wire.idle_since = asyncio.get_running_loop().time()
        if len(stack) > self._settings.max_idle_per_origin:
            self._retire(stack[0])
        if len(self._queue) > self._settings.max_idle:
            self._retire(next(iter(self._queue)))

    def _checkout(self, origin: Origin) -> Wire | None:
        while (stack := self._idle.get(origin)) is not None:
            wire = stack[-1]
            self._no_longer_idle(wire)
            if wire.usable:
                return wire
            wire.abort()
        return None

    def _adopt(self, wire: Wire) -> None:
        try:
            self._refuse_if_closed()
        except ConnectRefused:
            wire.abort()
            raise
        if not wire.lost:
            self._wires.add(wire)
            self._start_timer()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ConnectRefused("The proxy is shutting down and opens no more connections.")

    def _forget(self, wire: Wire) -> None:
        self._no_longer_idle(wire)
        self._wires.discard(wire)
        if not self._wires:
            self._emptied.set()

    def _retire(self, wire: Wire) -> None:
        self._no_longer_idle(wire)
        wire.abort()

    def _no_longer_idle(self, wire: Wire) -> None:
        if wire not in self._queue:
            return
        del self._queue[wire]
        stack = self._idle[wire.origin]
        stack.remove(wire)
        if not stack:
            del self._idle[wire.origin]

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._sweep)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._queue and (oldest := next(iter(self._queue))).idle_since + self._settings.keepalive_s <= now:
            self._retire(oldest)
        for wire in list(self._wires):
            if wire.holder is not None:
                wire.holder.check(now)
        if self._wires:
            self._start_timer()


def _parent(url: str | None) -> ParentProxy | None:
    if url is None:
        return None
    try:
        return ParentProxy.parse(url)
    except ValueError as error:
        raise ConfigError([Problem("upstream_proxy", str(error))]) from None


def _sweep_interval(settings: UpstreamPoolSettings) -> float:
    shortest = min(settings.first_byte_timeout_s, settings.idle_timeout_s, settings.keepalive_s)
    return min(max(shortest / _SWEEPS_PER_TIMEOUT, _SWEEP_AT_LEAST_S), _SWEEP_AT_MOST_S)
