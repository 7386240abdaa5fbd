"""Memory in front of Redis: what is hot costs no question, as long as we hear of every change.

Nothing here knows of connections: it is told what changed, and when it may have missed something.
"""

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field

from sluicegate.core.caching.entry import StoredEntry

_OVERHEAD = 2048
"""What an entry takes in memory beside head and body: Python objects (bytes, rounded up)."""


@dataclass(slots=True, eq=False)
class Held:
    """An entry as Redis had it."""

    entry: StoredEntry
    head: bytes
    body: bytes | None = None
    renew_at: float = 0.0
    """When its time to live should be renewed, at the next use."""


@dataclass(slots=True, eq=False)
class Shelf:
    """All entries under one cache key."""

    key: str
    tag: str
    held: list[Held]
    size: int = 0
    current: bool = True
    noted: int = -1
    """The round in which a use of it was noted last."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A question on its way; what it brings is not kept if there was a change meanwhile."""

    tag: str
    good: bool = True


@dataclass(slots=True)
class _Place:
    shelf: Shelf
    held: Held = field(repr=False)


class Front:
    """The least recently used shelves go first; `max_size` bounds all of them, `max_body` one body (bytes)."""

    def __init__(self, *, max_size: int, max_body: int) -> None:
        self.max_body = max_body
        self._max_size = max_size
        self._shelves: OrderedDict[str, Shelf] = OrderedDict()
        self._by_tag: dict[str, Shelf] = {}
        self._places: dict[str, _Place] = {}
        self._tickets: defaultdict[str, list[Ticket]] = defaultdict(list)
        self._size = 0

    def current(self, key: str) -> Shelf | None:
        """What is under `key` for sure; counts as a use."""
        shelf = self._shelves.get(key)
        if shelf is None or not shelf.current:
            return None
        self._shelves.move_to_end(key)
        return shelf

    def find(self, entry_id: str) -> Held | None:
        """The entry, if it is there for sure."""
        place = self._places.get(entry_id)
        return place.held if place is not None and place.shelf.current else None

    def known(self, key: str) -> dict[str, Held]:
        """What was under `key` when it was asked for last, by id."""
        shelf = self._shelves.get(key)
        return {} if shelf is None else {held.entry.id: held for held in shelf.held}

    def ask(self, tag: str) -> Ticket:
        """Take note that a question is on its way; it has to be `answered`."""
        ticket = Ticket(tag)
        self._tickets[tag].append(ticket)
        return ticket

    def answered(self, ticket: Ticket) -> None:
        """The question is not on its way any more."""
        waiting = self._tickets[ticket.tag]
        waiting.remove(ticket)
        if not waiting:
            del self._tickets[ticket.tag]

    def keep(self, key: str, held: list[Held], ticket: Ticket) -> None:
        """Keep what the question brought."""
        self._take_down(key)
        if not (held and ticket.good):
            return
        shelf = self._shelves[key] = self._by_tag[ticket.tag] = Shelf(key, ticket.tag, held)
        for one in held:
            self._places[one.entry.id] = _Place(shelf, one)
        self._weigh(shelf)

    def keep_body(self, entry_id: str, body: bytes) -> None:
        """Keep the body of an entry that is there."""
        place = self._places.get(entry_id)
        if place is not None and len(body) <= self.max_body:
            place.held.body = body
            self._weigh(place.shelf)

    def changed(self, tag: str) -> None:
        """What is under the key of this tag may be something else now."""
        for ticket in self._tickets.get(tag, ()):
            ticket.good = False
        shelf = self._by_tag.get(tag)
        if shelf is not None:
            shelf.current = False

    def all_changed(self) -> None:
        """Everything may be something else now."""
        for tag in list(self._tickets):
            self.changed(tag)
        for shelf in self._shelves.values():
            shelf.current = False

    def _weigh(self, shelf: Shelf) -> None:
        size = sum(_OVERHEAD + len(held.head) + len(held.body or b"") for held in shelf.held)
        self._size += size - shelf.size
        shelf.size = size
        while self._size > self._max_size:
            self._take_down(next(iter(self._shelves)))

    def _take_down(self, key: str) -> None:
        shelf = self._shelves.pop(key, None)
        if shelf is None:
            return
        self._size -= shelf.size
        del self._by_tag[shelf.tag]
        for held in shelf.held:
            del self._places[held.entry.id]
