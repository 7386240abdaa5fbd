"""Slots: room for a request in flight, of its host and of the whole proxy."""

from collections.abc import Callable, Hashable
from enum import Enum, auto
from functools import partial
from typing import Protocol

from sluicegate.core.limits.ports import SlotStore
from sluicegate.core.limits.queue import FifoQueue
from sluicegate.gate.host import Host

EVERYWHERE = ""
"""The name that global slots go by in the store; no host has it."""
POLL_FIRST_S = 0.002
POLL_LAST_S = 0.008
"""How soon a slot that other processes hold is asked for again."""


class Place(Enum):
    """Where a turn is."""

    OUTSIDE = auto()
    QUEUED = auto()
    """In its host's queue; holds nothing."""
    LOBBY = auto()
    """Holds a slot of its host and waits for a global one."""
    INSIDE = auto()
    """Holds both."""
    GONE = auto()


class Waiting(Hashable, Protocol):
    """What takes a slot: a turn."""

    place: Place

    @property
    def host(self) -> Host["Waiting"]:
        """Whose slot it takes."""

    def rouse(self) -> None:
        """Look again: something has changed."""


def _never(_delay_s: float, _call: Callable[[], None]) -> None:
    """Without a store nobody has to ask again."""


class Slots:
    """Gives out slots. Every method runs to its end at once and leaves no slot free that somebody could have.

    With a store they are shared with other processes. While those hold all, the first in a queue asks again every few
    milliseconds (`later` calls at a delay in seconds).
    """

    def __init__(
        self,
        max_inflight: int,
        store: SlotStore | None = None,
        later: Callable[[float, Callable[[], None]], object] = _never,
    ) -> None:
        self.max_inflight = max_inflight
        self.in_flight = 0
        self._lobby: FifoQueue[Waiting] = FifoQueue()
        self._store = store
        self._later = later
        self._polling = False
        self._poll_s = 0.0

    def lobby(self, host: Host[Waiting]) -> list[Waiting]:
        """Those of `host` who wait for a global slot."""
        return [turn for turn in self._lobby if turn.host is host]

    def join(self, turn: Waiting) -> None:
        """Give the turn its slots, or queue it until there are some; it is then roused."""
        host = turn.host
        if host.queue or not self._host_slot(host):
            turn.place = Place.QUEUED
            host.queue.push(turn)
        elif self._lobby or not self._global_slot():
            turn.place = Place.LOBBY
            self._lobby.push(turn)
        else:
            turn.place = Place.INSIDE

    def leave(self, turn: Waiting) -> None:
        """Take back what the turn holds, wherever it is; idempotent."""
        host, place, turn.place = turn.host, turn.place, Place.GONE
        if place is Place.QUEUED:
            host.queue.discard(turn)
        elif place is Place.LOBBY:
            self._lobby.discard(turn)
            self._leave_host(host)
        elif place is Place.INSIDE:
            self._leave_host(host)
            self.in_flight -= 1
            if self._store is not None:
                self._store.release(EVERYWHERE)
        if host.queue or self._lobby:
            self.assign(host)

    def assign(self, host: Host[Waiting]) -> None:
        """Let in whoever may come in now."""
        while host.queue and not host.polling and self._host_slot(host):
            turn = host.queue.take()
            turn.place = Place.LOBBY
            self._lobby.push(turn)
        while self._lobby and not self._polling and self._global_slot():
            turn = self._lobby.take()
            turn.place = Place.INSIDE
            turn.rouse()

    def _leave_host(self, host: Host[Waiting]) -> None:
        host.in_flight -= 1
        if self._store is not None:
            self._store.release(host.key)

    def _host_slot(self, host: Host[Waiting]) -> bool:
        if not host.open:
            return False
        if self._store is not None and not self._store.acquire(host.key, host.limit.concurrency):
            if not host.polling:
                host.polling, host.poll_s = True, _backoff(host.poll_s)
                self._later(host.poll_s, partial(self._poll_host, host))
            return False
        host.poll_s = 0.0
        host.in_flight += 1
        host.arriving += 1
        return True

    def _global_slot(self) -> bool:
        if self.in_flight >= self.max_inflight:
            return False
        if self._store is not None and not self._store.acquire(EVERYWHERE, self.max_inflight):
            if not self._polling:
                self._polling, self._poll_s = True, _backoff(self._poll_s)
                self._later(self._poll_s, self._poll_lobby)
            return False
        self._poll_s = 0.0
        self.in_flight += 1
        return True

    def _poll_host(self, host: Host[Waiting]) -> None:
        host.polling = False
        self.assign(host)

    def _poll_lobby(self) -> None:
        self._polling = False
        if self._lobby:
            self.assign(self._lobby.first().host)


def _backoff(poll_s: float) -> float:
    return min(max(POLL_FIRST_S, poll_s * 2), POLL_LAST_S)
