"""Memory in front of the cache on disk: what is hot and small costs no disk, and a new entry is there at once.

What is here is only ever what the disk has, or what is on its way there. Whether it still is, the board tells
(`disk/board.py`), which all processes on the directory share: that is one look at memory, so hits and most misses are
answered without waiting. Nothing here waits; who calls it reads and writes the disk.
"""

from dataclasses import dataclass, replace
from zlib import crc32

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.stores.cache.disk.board import CHANGING, OCCUPIED, Board
from sluicegate.stores.cache.shelves import NEVER, Held, Shelf, Shelves, held_size

DEFAULT_MAX_BYTES = 64 * 1024 * 1024
DEFAULT_MAX_BODY = 256 * 1024


@dataclass(slots=True)
class Loaded:
    """An entry as the disk has it."""

    entry: StoredEntry
    revision: int
    head_length: int
    """How many bytes the disk has of its head."""
    body: bytes | None = None


class Front:
    """What is in memory of one directory. `max_bytes` bounds all of it, `max_body` one body in it (bytes)."""

    def __init__(self, board: Board, *, max_bytes: int = DEFAULT_MAX_BYTES, max_body: int = DEFAULT_MAX_BODY) -> None:
        self.max_body = max_body
        self.minute = 0
        """Set by who keeps the time; a use is noted once in each."""
        self._board = board
        self._slots = board.slots
        self._filled = board.filled
        self._shelves = Shelves(max_bytes)
        self._by_key = self._shelves.by_key
        self._by_id = self._shelves.by_id
        self._removing: set[str] = set()
        self._used: set[str] = set()

    def recall(self, key: str) -> list[StoredEntry] | None:
        """`CacheStore.recall`."""
        shelf = self._by_key.get(key)
        if shelf is None:
            free = self._slots[self._place(key)] & (OCCUPIED | CHANGING) == 0
            if free and (self._filled or self._board_is_filled()):
                return []
            return None
        value = self._slots[shelf.place]
        if value != shelf.stamp and value != shelf.own:  # noqa: PLR1714 - a tuple would be made at each hit
            return None
        self._by_key.move_to_end(key)
        if shelf.touched != self.minute:
            self._touch(shelf)
        return shelf.entries.copy()

    def at_hand(self, entry: StoredEntry) -> bytes | None:
        """`CacheStore.body_at_hand`."""
        held = self._by_id.get(entry.id)
        if held is None or held.body is None:
            return None
        shelf = held.shelf
        value = self._slots[shelf.place]
        return held.body if value == shelf.stamp or value == shelf.own else None  # noqa: PLR1714 - the same

    def stamp_for(self, key: str) -> tuple[int, int]:
        """The place of the key's slot, and its value now: to be read before the disk is."""
        place = self._place(key)
        return place, self._slots[place]

    def knows(self, key: str) -> bool:
        """Whether there is a shelf for the key, current or not."""
        return key in self._by_key

    def take(self, key: str, stamp: int, found: list[Loaded]) -> list[StoredEntry] | None:
        """What the disk had when the slot was `stamp`, with what is on its way; None when that is no longer current."""
        place = self._place(key)
        if stamp & CHANGING or self._slots[place] != stamp:
            return None
        shelf = self._shelves.put_up(key, place)
        settled = {one.entry.id: one for one in shelf.held}
        held = []
        for loaded in found:
            before = settled.pop(loaded.entry.id, None)
            if before is not None and (before.pending or before.revision == loaded.revision):
                held.append(before)
            elif loaded.entry.id not in self._removing:
                body = loaded.body if loaded.body is not None or before is None else before.body
                held.append(Held(shelf, loaded.entry, body, loaded.revision, loaded.head_length))
        held += [one for one in settled.values() if one.pending]
        shelf.stamp = stamp
        self._shelves.arrange(shelf, held)
        self._touch(shelf)
        return shelf.entries.copy()

    def add(self, key: str, entry: StoredEntry, body: bytes, revision: int, head_length: int) -> Held:
        """Show a new entry, which is on its way to the disk."""
        shelf = self._by_key.get(key)
        if shelf is not None:
            self._by_key.move_to_end(key)
            held = Held(shelf, entry, body, revision, head_length)
            self._on_its_way(held)
            self._shelves.arrange(shelf, [*shelf.held, held])
            return held
        shelf = self._shelves.put_up(key, self._place(key))
        value = self._slots[shelf.place]
        if value & (OCCUPIED | CHANGING) == 0 and self._board_is_filled():
            shelf.stamp = value
        held = Held(shelf, entry, body, revision, head_length)
        held.pending = shelf.pending = 1
        self._shelves.begin(shelf, held)
        return held

    def freshen(self, entry: StoredEntry, revision: int, head_length: int) -> Held | None:
        """Show another head of an entry, which is on its way to the disk; None when the entry is not here."""
        held = self._by_id.get(entry.id)
        if held is None:
            return None
        length = held.entry.body_length
        held.entry = entry if entry.body_length == length else replace(entry, body_length=length)
        held.revision = revision
        held.size = held_size(entry, head_length)
        self._on_its_way(held)
        self._shelves.arrange(held.shelf, held.shelf.held)
        return held

    def remove(self, entry_id: str) -> Shelf | None:
        """Show an entry no more, whatever the disk says, until `removed`; its shelf, if it was here."""
        self._removing.add(entry_id)
        held = self._by_id.get(entry_id)
        if held is None:
            return None
        self._shelves.arrange(held.shelf, [one for one in held.shelf.held if one is not held])
        held.shelf.pending += 1
        return held.shelf

    def removed(self, entry_id: str, shelf: Shelf | None, *, done: bool) -> None:
        """The disk has removed an entry; where it could not, the entry stays hidden."""
        if shelf is not None:
            shelf.pending -= 1
        if done:
            self._removing.discard(entry_id)

    def settled(self, held: Held, *, done: bool) -> None:
        """A change of an entry is on disk, or could not be made: then the entry is forgotten."""
        held.pending -= 1
        held.shelf.pending -= 1
        if not done and self._by_id.get(held.entry.id) is held:
            self._shelves.arrange(held.shelf, [one for one in held.shelf.held if one is not held])
            held.shelf.stamp = NEVER
        self._shelves.make_room()

    def keep_body(self, entry_id: str, body: bytes) -> None:
        """Keep the body of an entry that is here."""
        held = self._by_id.get(entry_id)
        if held is not None and held.body is None and len(body) <= self.max_body:
            held.body = body
            self._shelves.weigh(held.shelf)

    def uses(self) -> list[int]:
        """The ids of the entries that were used since this was asked last. For any thread; a use may get lost."""
        used, self._used = self._used, set()
        return [int(entry_id) for entry_id in used.copy()]

    def _on_its_way(self, held: Held) -> None:
        held.pending += 1
        held.shelf.pending += 1

    def _touch(self, shelf: Shelf) -> None:
        shelf.touched = self.minute
        self._used.update([entry.id for entry in shelf.entries])

    def _place(self, key: str) -> int:
        return self._board.place(crc32(key.encode("utf-8", "surrogatepass")))

    def _board_is_filled(self) -> bool:
        if not self._filled:
            self._filled = self._board.filled
        return self._filled
