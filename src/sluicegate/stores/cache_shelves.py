"""Entries in memory in front of a slower store, by key: bounded in bytes, the least recently used key goes first."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.stores.cache.memory import head_size


@dataclass(slots=True)
class Held:
    """An entry in memory, with its body if that is small."""

    key: str
    entry: StoredEntry
    body: bytes | None = None
    head: bytes | None = None
    """What the slower store has of its head."""
    pending: int = 0
    """Changes that have not reached the slower store yet; until they have, what is here is newer."""

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return head_size(self.key, self.entry) + len(self.body or b"") + len(self.head or b"")


@dataclass(slots=True)
class Shelf:
    """All entries under one key."""

    held: list[Held] = field(default_factory=list)
    version: object = None
    """The version of the slower store that the shelf agrees with; None: to be compared."""
    look_again_at: float = 0.0
    """When to ask the slower store again, whatever its version (seconds of `Clock.now`)."""
    size: int = 0

    @property
    def pinned(self) -> bool:
        """Something on it is nowhere else yet."""
        return any(held.pending for held in self.held)


class Shelves:
    """The shelves, and how much is on them."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._shelves: OrderedDict[str, Shelf] = OrderedDict()
        self._held: dict[str, Held] = {}
        self._used = 0

    @property
    def used(self) -> int:
        """Bytes held."""
        return self._used

    def shelf(self, key: str) -> Shelf | None:
        """The shelf of a key, which counts as a use of it."""
        shelf = self._shelves.get(key)
        if shelf is not None:
            self._shelves.move_to_end(key)
        return shelf

    def find(self, entry_id: str) -> Held | None:
        """What is held of an entry."""
        return self._held.get(entry_id)

    def pending(self) -> list[Held]:
        """What has not reached the slower store."""
        return [held for held in self._held.values() if held.pending]

    def put_up(self, key: str, shelf: Shelf) -> None:
        """Put a shelf in the place of the one that the key has, if it has one."""
        self.take_down(key)
        self._shelves[key] = shelf
        self._held |= {held.entry.id: held for held in shelf.held}
        self.weigh(key)

    def take_down(self, key: str) -> None:
        """Forget all entries of a key."""
        shelf = self._shelves.pop(key, None)
        if shelf is not None:
            self._used -= shelf.size
            self._forget(shelf.held)

    def add(self, held: Held, *, look_again_at: float) -> None:
        """Put an entry on its shelf; where there is none, on a new one, which is to be compared."""
        self._held[held.entry.id] = held
        self._shelves.setdefault(held.key, Shelf(look_again_at=look_again_at)).held.append(held)
        self._shelves.move_to_end(held.key)
        self.weigh(held.key)

    def remove(self, held: Held) -> None:
        """Take an entry off its shelf, if it is there."""
        shelf = self._shelves.get(held.key)
        if shelf is None or self._held.pop(held.entry.id, None) is None:
            return
        shelf.held = [other for other in shelf.held if other.entry.id != held.entry.id]
        if shelf.held:
            self.weigh(held.key)
        else:
            self.take_down(held.key)

    def weigh(self, key: str) -> None:
        """Count again what the shelf of a key takes, and make room where it is too much."""
        shelf = self._shelves.get(key)
        if shelf is not None:
            size = sum(held.size for held in shelf.held)
            self._used += size - shelf.size
            shelf.size = size
        while self._used > self._max_bytes:
            victim = next((key for key, shelf in self._shelves.items() if not shelf.pinned), None)
            if victim is None:
                return
            self.take_down(victim)

    def _forget(self, forgotten: Iterable[Held]) -> None:
        for held in forgotten:
            self._held.pop(held.entry.id, None)
