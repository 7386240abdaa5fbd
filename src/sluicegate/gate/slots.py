"""Slots: room for a request in flight, of its host and of the whole proxy."""

from collections.abc import Hashable
from enum import Enum, auto
from typing import Protocol

from sluicegate.core.limits.queue import FifoQueue
from sluicegate.gate.host import Host


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


class Slots:
    """Gives out slots. Every method runs to its end at once and leaves no slot free that somebody could have."""

    def __init__(self, max_inflight: int) -> None:
        self.max_inflight = max_inflight
        self.in_flight = 0
        self._lobby: FifoQueue[Waiting] = FifoQueue()

    def free_for(self, host: Host[Waiting]) -> bool:
        """One who comes now gets both slots at once."""
        return not host.queue and host.open and not self._lobby and self.in_flight < self.max_inflight

    def lobby(self, host: Host[Waiting]) -> list[Waiting]:
        """Those of `host` who wait for a global slot."""
        return [turn for turn in self._lobby if turn.host is host]

    def join(self, turn: Waiting) -> None:
        """Give the turn its slots, or queue it until there are some; it is then roused."""
        host = turn.host
        if self.free_for(host):
            host.in_flight += 1
            host.arriving += 1
            self.in_flight += 1
            turn.place = Place.INSIDE
            return
        turn.place = Place.QUEUED
        host.queue.push(turn)
        self.assign(host)

    def leave(self, turn: Waiting) -> None:
        """Take back what the turn holds, wherever it is; idempotent."""
        host, place, turn.place = turn.host, turn.place, Place.GONE
        if place is Place.QUEUED:
            host.queue.discard(turn)
        elif place is Place.LOBBY:
            self._lobby.discard(turn)
            host.in_flight -= 1
        elif place is Place.INSIDE:
            host.in_flight -= 1
            self.in_flight -= 1
        self.assign(host)

    def assign(self, host: Host[Waiting]) -> None:
        """Let in whoever may come in now."""
        while host.queue and host.open:
            turn = host.queue.pop()
            host.in_flight += 1
            host.arriving += 1
            turn.place = Place.LOBBY
            self._lobby.push(turn)
        while self._lobby and self.in_flight < self.max_inflight:
            turn = self._lobby.pop()
            self.in_flight += 1
            turn.place = Place.INSIDE
            turn.rouse()
