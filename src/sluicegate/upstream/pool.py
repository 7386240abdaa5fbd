"""The pool: connections to origins, shared by all clients.

Every open connection is in `_wires` and on the shelf of its origin; `_room` bounds how many there are. One timer looks
after all of them.
"""

import asyncio
from dataclasses import dataclass, replace

from sluicegate.core.http import Origin
from sluicegate.errors import ConfigError, ConnectRefused, Problem
from sluicegate.upstream.dial import Dialer
from sluicegate.upstream.lease import Lease
from sluicegate.upstream.memory import keep_freed_memory
from sluicegate.upstream.parent import ParentProxy
from sluicegate.upstream.response import MAX_WAITING, MIN_WAITING
from sluicegate.upstream.room import Room
from sluicegate.upstream.settings import UpstreamPoolSettings
from sluicegate.upstream.shelves import Shelves
from sluicegate.upstream.tls import ResumingContext, client_context
from sluicegate.upstream.wire import Wire

_ALL_WAITING = 8 * 1024 * 1024
"""Bytes of bodies that may wait for their readers, on all connections together, as long as each has a minimum."""
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
        self._shelves = Shelves()
        self._room = Room(
            self._settings.max_connections, take=self._shelves.take, give=self.checkin, retire=self._retire_oldest
        )
        self._timer: asyncio.TimerHandle | None = None
        self._interval_s = _sweep_interval(self._settings)
        self._closed = False
        self._emptied = asyncio.Event()
        keep_freed_memory()

    def configure(self, settings: UpstreamPoolSettings) -> None:
        """Use other settings from now on; connections that are open keep the time-outs they were opened with.

        The parent proxy, the trusted roots and the resolver stay those of the start.
        """
        self._settings = replace(settings, parent_proxy=self._settings.parent_proxy, tls=self._settings.tls)
        self._dialer.configure(self._settings)
        self._interval_s = _sweep_interval(self._settings)
        self._room.limit = settings.max_connections
        self._room.admit()

    async def connect(self, origin: Origin, *, fresh: bool = False) -> Lease:
        if self._closed:
            raise _shutting_down()
        wire = None if fresh else self._checkout(origin)
        if wire is None:
            wire = await self._opened(origin, fresh=fresh)
        return Lease(wire, self, self._settings, self._parent)

    def idle(self, origin: Origin) -> Lease | None:
        wire = None if self._closed else self._checkout(origin)
        return None if wire is None else Lease(wire, self, self._settings, self._parent)

    async def aclose(self) -> None:
        self._closed = True
        self._room.close(_shutting_down)
        self._dialer.close()
        for wire in self._wires:
            wire.abort()
        while self._wires:
            self._emptied.clear()
            await self._emptied.wait()
        self._stop_timer()

    def stats(self) -> dict[Origin, OriginStats]:
        """The connections that are open now, by origin."""
        return {
            shelf.origin: OriginStats(shelf.open, len(shelf.idle), shelf.open - len(shelf.idle))
            for shelf in self._shelves
        }

    def body_allowance(self) -> int:
        """Bytes of a body that may wait on one connection: the fewer are in use, the more each may hold."""
        in_use = max(1, len(self._wires) - self._shelves.idle)
        return min(MAX_WAITING, max(MIN_WAITING, _ALL_WAITING // in_use))

    @property
    def waiting(self) -> int:
        """How many wait until a connection may be opened."""
        return self._room.waiting

    def checkin(self, wire: Wire) -> None:
        """Keep a connection for the next exchange with its origin, or close it if it is of no more use."""
        if self._closed or not wire.usable:
            wire.abort()
            return
        if wire.secured and wire.carried and not wire.remembered:
            self._remember_session(wire)
        wire.idle_since = asyncio.get_running_loop().time()
        self._shelves.put(wire)
        if len(wire.shelf.idle) > self._settings.max_idle_per_origin:
            self._retire(wire.shelf.idle[0])
        if self._shelves.idle > self._settings.max_idle:
            self._retire_oldest()
        if self._room.waiting:
            self._room.admit()

    def _checkout(self, origin: Origin) -> Wire | None:
        while (wire := self._shelves.take(origin)) is not None:
            if wire.usable:
                return wire
            wire.abort()
        return None

    async def _opened(self, origin: Origin, *, fresh: bool) -> Wire:
        """A new connection, or one that became idle while there was no room for a new one."""
        wire = await self._room.enter(origin, fresh=fresh)
        if wire is not None:
            return wire
        try:
            wire = await self._dialer.dial(origin, self._forget)
            if self._closed:
                wire.abort()
                raise _shutting_down()
        except BaseException:
            self._room.leave()
            raise
        self._wires.add(wire)
        self._shelves.add(wire)
        if wire.lost:
            self._forget(wire)
        else:
            self._start_timer()
        return wire

    def _remember_session(self, wire: Wire) -> None:
        secured = wire.ssl_object
        if isinstance(self._tls, ResumingContext) and secured is not None:
            wire.remembered = self._tls.remember(secured)

    def _forget(self, wire: Wire) -> None:
        """A connection is gone. One that was lost before it was counted is told of again when it is."""
        if wire not in self._wires:
            return
        self._wires.remove(wire)
        self._shelves.remove(wire)
        if not self._wires:
            self._emptied.set()
        self._room.leave()

    def _retire(self, wire: Wire) -> None:
        self._shelves.discard(wire)
        wire.abort()

    def _retire_oldest(self) -> bool:
        oldest = self._shelves.oldest
        if oldest is None:
            return False
        self._retire(oldest)
        return True

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
        while (oldest := self._shelves.oldest) is not None and oldest.idle_since + self._settings.keepalive_s <= now:
            self._retire(oldest)
        for wire in list(self._wires):
            if wire.holder is not None:
                wire.holder.check(now)
        if self._wires:
            self._start_timer()


def _shutting_down() -> ConnectRefused:
    return ConnectRefused("The proxy is shutting down and opens no more connections.")


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
