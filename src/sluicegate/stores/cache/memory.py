"""The cache in this process's memory: bounded in bytes, the least recently used goes first, gone with the process."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from sluicegate.core.caching.decisions import Span
from sluicegate.core.caching.digests import digesting
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.listing import Listed
from sluicegate.core.ports import BodyReader, EntryWriter
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.marks import Marks
from sluicegate.stores.cache.pieces import Pieces, PiecesBody

DEFAULT_MAX_SIZE = 256 * 1024 * 1024
_AT_HAND = 1024 * 1024
"""Bodies up to here are kept in one piece, so that they can be answered with at once."""
_OBJECT_OVERHEAD = 1024
"""What an entry costs beside its bytes: Python objects, indexes (rounded up)."""
_FIELD_OVERHEAD = 128
_PAGE = 256
"""How many entries are listed before others have their turn."""


@dataclass(slots=True, eq=False)
class _Held:
    key: str
    entry: StoredEntry
    body: Pieces
    at_hand: bytes | None
    size: int
    digest: bytes


class MemoryCacheStore:
    """`ports.CacheStore` in memory.

    `max_size` bounds everything held, bodies still being written included; `max_entry_size` one body (bytes).
    """

    def __init__(self, *, max_size: int = DEFAULT_MAX_SIZE, max_entry_size: int | None = None) -> None:
        self._max_size = max_size
        self._max_entry_size = max_entry_size
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._by_key: dict[str, list[_Held]] = {}
        self._used = 0
        self._numbers = count(1)
        self._marks = Marks()
        self._closed = False

    def recall(self, key: str) -> list[StoredEntry]:
        held = self._by_key.get(key)
        if held is None:
            return []
        found = [one.entry for one in held]
        for entry in found:
            self._held.move_to_end(entry.id)
        return found

    async def entries(self, key: str) -> list[StoredEntry]:
        return self.recall(key)

    def body_at_hand(self, entry: StoredEntry) -> bytes | None:
        held = self._held.get(entry.id)
        return None if held is None else held.at_hand

    async def open_body(self, entry: StoredEntry, span: Span | None = None) -> BodyReader:
        held = self._held.get(entry.id)
        if held is None:
            raise CacheStoreError("the stored response is gone")
        self._held.move_to_end(entry.id)
        return PiecesBody(held.body, span)

    def moment(self, key: str) -> int:
        return self._marks.of(key)

    def invalidate(self, key: str) -> None:
        self._marks.change(key)

    def begin(
        self,
        key: str,
        entry: StoredEntry,
        length: int | None,
        since: int | None = None,
    ) -> EntryWriter | None:
        if self._closed or not self._fits(length or 0):
            return None
        return _MemoryWriter(self, key, entry, since)

    def keep_now(self, key: str, entry: StoredEntry, body: bytes, since: int | None = None) -> bool:
        if self._closed or not self._fits(len(body)):
            return False
        writer = _MemoryWriter(self, key, entry, since)
        return writer.take(body) and writer.publish() is not None

    async def freshen(self, entry: StoredEntry) -> None:
        held = self._held.get(entry.id)
        if held is None:
            return
        grown = head_size(held.key, entry) - head_size(held.key, held.entry)
        held.entry = replace(entry, body_length=held.entry.body_length)
        held.size += grown
        self._used += grown
        self._evict()

    async def remove(self, entry_id: str) -> None:
        self._forget(entry_id)

    async def remove_all(self, entry_ids: Sequence[str]) -> None:
        for entry_id in entry_ids:
            self._forget(entry_id)

    async def listed(self, prefix: str = "", *, exact: bool = False) -> AsyncIterator[Listed]:
        if exact:
            ids = [one.entry.id for one in self._by_key.get(prefix, ())]
        else:
            ids = list(self._held)
        for number, entry_id in enumerate(ids, 1):
            held = self._held.get(entry_id)
            if held is not None and held.key.startswith(prefix):
                yield Listed(held.key, held.entry, held.size, 0.0, held.digest)
            if number % _PAGE == 0:
                await asyncio.sleep(0)

    async def set_max_size(self, max_size: int) -> None:
        self._max_size = max_size
        self._evict()

    def stats(self) -> tuple[int, int]:
        return len(self._held), self._used

    async def aclose(self) -> None:
        self._closed = True
        self._held.clear()
        self._by_key.clear()
        self._used = 0

    def take(self, size: int, written: int) -> bool:
        """Reserve `size` bytes for a body that has `written` bytes by then, evicting if need be."""
        if self._closed or not self._fits(written):
            return False
        self._used += size
        if self._used > self._max_size:
            self._evict()
        if self._used <= self._max_size:
            return True
        self._used -= size
        return False

    def give_back(self, size: int) -> None:
        """Return bytes that were reserved."""
        if not self._closed:
            self._used -= size

    def publish(self, key: str, entry: StoredEntry, body: Pieces, size: int, digest: bytes) -> StoredEntry:
        """Make an entry visible, whose body is complete, and whose `size` bytes are reserved already; the entry as stored."""
        length = len(body)
        stored = StoredEntry(
            str(next(self._numbers)), entry.request, entry.response, entry.request_time, entry.response_time, length
        )
        at_hand = body.whole() if length <= _AT_HAND else None
        held = self._held[stored.id] = _Held(key, stored, body, at_hand, size, digest)
        siblings = self._by_key.get(key)
        if siblings is None:
            self._by_key[key] = [held]
        else:
            siblings.append(held)
        return stored

    def _fits(self, length: int) -> bool:
        return length <= self._max_size and (self._max_entry_size is None or length <= self._max_entry_size)

    def _evict(self) -> None:
        while self._used > self._max_size and self._held:
            self._forget(next(iter(self._held)))

    def _forget(self, entry_id: str) -> None:
        held = self._held.pop(entry_id, None)
        if held is None:
            return
        self.give_back(held.size)
        siblings = self._by_key[held.key]
        siblings.remove(held)
        if not siblings:
            del self._by_key[held.key]


class _MemoryWriter:
    """`ports.EntryWriter`; `_body` is None once the storing is over."""

    __slots__ = ("_body", "_committed", "_digesting", "_entry", "_key", "_reserved", "_since", "_store")

    def __init__(self, store: MemoryCacheStore, key: str, entry: StoredEntry, since: int | None) -> None:
        self._store = store
        self._key = key
        self._entry = entry
        self._since = since
        self._body: Pieces | None = Pieces()
        self._digesting = digesting()
        self._reserved = 0
        self._committed = False

    async def write(self, piece: bytes) -> bool:
        return self.take(piece)

    def take(self, piece: bytes) -> bool:
        """Keep a piece; False when the storing is over."""
        body = self._body
        if body is None or self._committed:
            return False
        size = len(piece)
        if not self._store.take(size, len(body) + size):
            self._drop()
            return False
        self._reserved += size
        self._digesting.update(piece)
        body.append(piece)
        return True

    async def read(self, start: int) -> bytes:
        if self._body is None:
            raise CacheStoreError("the response is not being stored any more")
        return self._body.read(start)

    async def commit(self) -> StoredEntry | None:
        return self.publish()

    def publish(self) -> StoredEntry | None:
        """Make the entry visible; None when it cannot be."""
        if self._body is None or self._committed:
            return None
        head = head_size(self._key, self._entry)
        overtaken = self._since is not None and self._store.moment(self._key) != self._since
        if overtaken or not self._store.take(head, len(self._body)):
            self._drop()
            return None
        size, digest = self._reserved + head, self._digesting.digest()
        entry = self._store.publish(self._key, self._entry, self._body, size, digest)
        self._reserved = 0
        self._committed = True
        return entry

    async def aclose(self) -> None:
        self._drop()

    def _drop(self) -> None:
        if self._reserved:
            self._store.give_back(self._reserved)
            self._reserved = 0
        self._body = None


def head_size(key: str, entry: StoredEntry) -> int:
    """What an entry takes in memory without its body, in bytes, rather too much than too little."""
    size = _OBJECT_OVERHEAD + len(key)
    for name, value in entry.request.fields:
        size += len(name) + len(value) + _FIELD_OVERHEAD
    for name, value in entry.response.fields:
        size += len(name) + len(value) + _FIELD_OVERHEAD
    return size
