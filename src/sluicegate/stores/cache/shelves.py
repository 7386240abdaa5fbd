"""Entries in memory in front of a slower store, by key: bounded in bytes, the least recently used key goes first."""

from collections import OrderedDict

from sluicegate.core.caching.entry import StoredEntry

_HELD_OVERHEAD = 1000
_SHELF_OVERHEAD = 500
_FIELD_OVERHEAD = 130
_PREPARED_OVERHEAD = 350
"""Others hang what they worked out on entries, and the head again as it goes over the wire."""
NEVER = -1
"""No slot of the board has this value."""


class Held:
    """An entry in memory, with its body if that is small."""

    __slots__ = ("body", "entry", "pending", "revision", "shelf", "size")

    def __init__(self, shelf: "Shelf", entry: StoredEntry, body: bytes | None, revision: int, head_length: int) -> None:
        self.shelf = shelf
        self.entry = entry
        self.body = body
        self.revision = revision
        """Another number after each change of the head."""
        self.pending = 0
        """Changes that have not reached the slower store yet; until they have, what is here is newer."""
        self.size = held_size(entry, head_length)
        """Bytes of memory without the body."""


class Shelf:
    """All entries under one key, and what the board said when they were all."""

    __slots__ = ("entries", "held", "key", "own", "pending", "place", "size", "stamp", "touched")

    def __init__(self, key: str, place: int) -> None:
        self.key = key
        self.place = place
        """Where on the board the key's slot is."""
        self.stamp = NEVER
        """The slot's value for which this is what the slower store has, but for what is on its way there."""
        self.own = NEVER
        """The slot's value while this process itself makes such a change."""
        self.held: list[Held] = []
        self.entries: list[StoredEntry] = []
        """The entries of `held`; another list after each change."""
        self.pending = 0
        """Changes on their way; something is nowhere else yet."""
        self.touched = -1
        """In which minute its use was last noted."""
        self.size = 0


class Shelves:
    """The shelves, and how much is on them."""

    def __init__(self, max_bytes: int) -> None:
        self.by_key: OrderedDict[str, Shelf] = OrderedDict()
        """For reading; the last is the most recently used."""
        self.by_id: dict[str, Held] = {}
        """For reading."""
        self._max_bytes = max_bytes
        self._used = 0

    @property
    def used(self) -> int:
        """Bytes held."""
        return self._used

    def put_up(self, key: str, place: int) -> Shelf:
        """The shelf of a key; an empty one where it has none."""
        shelf = self.by_key.get(key)
        if shelf is None:
            shelf = self.by_key[key] = Shelf(key, place)
        else:
            self.by_key.move_to_end(key)
        return shelf

    def begin(self, shelf: Shelf, held: Held) -> None:
        """Have the first entry on a shelf that was just put up; as `arrange`, for what happens most."""
        body = held.body
        shelf.held = [held]
        shelf.entries = [held.entry]
        shelf.size = size = _SHELF_OVERHEAD + len(shelf.key) + held.size + (len(body) if body is not None else 0)
        self.by_id[held.entry.id] = held
        self._used += size
        self.make_room()

    def arrange(self, shelf: Shelf, held: list[Held]) -> None:
        """Have these entries on the shelf and no others, and make room where that is too much."""
        for one in shelf.held:
            self.by_id.pop(one.entry.id, None)
        shelf.held = held
        shelf.entries = [one.entry for one in held]
        for one in held:
            self.by_id[one.entry.id] = one
        self.weigh(shelf)

    def weigh(self, shelf: Shelf) -> None:
        """Count again what a shelf takes, and make room where that is too much."""
        if self.by_key.get(shelf.key) is not shelf:
            return
        size = _SHELF_OVERHEAD + len(shelf.key)
        for one in shelf.held:
            size += one.size + (len(one.body) if one.body is not None else 0)
        self._used += size - shelf.size
        shelf.size = size
        self.make_room()

    def take_down(self, shelf: Shelf) -> None:
        """Forget all entries of a key."""
        if self.by_key.get(shelf.key) is shelf:
            del self.by_key[shelf.key]
            self._used -= shelf.size
            for one in shelf.held:
                self.by_id.pop(one.entry.id, None)

    def make_room(self) -> None:
        """Forget the least recently used keys while there is too much, but for what is nowhere else yet."""
        if self._used <= self._max_bytes:
            return
        victims = []
        excess = self._used - self._max_bytes
        for shelf in self.by_key.values():
            if excess <= 0:
                break
            if not shelf.pending:
                victims.append(shelf)
                excess -= shelf.size
        for shelf in victims:
            self.take_down(shelf)


def held_size(entry: StoredEntry, head_length: int) -> int:
    """What an entry takes in memory without its body, with all that others hang on it; rather too much than too little.

    `head_length` is how many bytes its head has.
    """
    fields = len(entry.request.fields) + len(entry.response.fields)
    return _HELD_OVERHEAD + _PREPARED_OVERHEAD + 2 * head_length + fields * _FIELD_OVERHEAD
