"""The cache in this process's memory: bounded in bytes, the least recently used goes first, gone with the process."""

import uuid
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field, replace

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.http import FieldList
from sluicegate.core.ports import BodyReader
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.tee import TeeReader

DEFAULT_MAX_SIZE = 256 * 1024 * 1024
_OBJECT_OVERHEAD = 1024
"""What an entry costs beside its bytes: Python objects, indexes (rounded up)."""


@dataclass(slots=True)
class _Held:
    key: str
    entry: StoredEntry
    size: int
    pieces: list[bytes] = field(default_factory=list)


class MemoryBody:
    """A body read from pieces in memory. Eviction meanwhile does not touch it: it holds the pieces itself."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.length: int | None = sum(map(len, pieces))
        self.trailers: FieldList = []
        self._pieces = iter(pieces)

    async def read(self) -> bytes:
        return next(self._pieces, b"")

    async def aclose(self) -> None:
        self._pieces = iter(())


class MemoryCacheStore:
    """`ports.CacheStore` in memory.

    `max_size` bounds everything held, bodies still being written included; `max_entry_size` one body (bytes).
    """

    def __init__(self, *, max_size: int = DEFAULT_MAX_SIZE, max_entry_size: int | None = None) -> None:
        self._max_size = max_size
        self._max_entry_size = max_entry_size
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._by_key: defaultdict[str, list[str]] = defaultdict(list)
        self._used = 0

    async def entries(self, key: str) -> list[StoredEntry]:
        return [self._held[entry_id].entry for entry_id in self._by_key.get(key, ())]

    async def open_body(self, entry: StoredEntry) -> BodyReader:
        held = self._held.get(entry.id)
        if held is None:
            raise CacheStoreError("the stored response is gone")
        self._held.move_to_end(entry.id)
        return MemoryBody(held.pieces)

    async def store(self, key: str, entry: StoredEntry, body: BodyReader) -> BodyReader:
        if not self._fits(body.length or 0):
            return body
        tee = TeeReader(body, _MemorySink(self, key, replace(entry, id=uuid.uuid4().hex)))
        if body.length == 0:  # at its end already; nobody need read it
            await tee.read()
        return tee

    async def freshen(self, entry: StoredEntry) -> None:
        held = self._held.get(entry.id)
        if held is not None:
            held.entry = replace(entry, body_length=held.entry.body_length)

    async def remove(self, entry_id: str) -> None:
        held = self._held.pop(entry_id, None)
        if held is None:
            return
        self.give_back(held.size)
        siblings = self._by_key[held.key]
        siblings.remove(entry_id)
        if not siblings:
            del self._by_key[held.key]

    async def aclose(self) -> None:
        self._held.clear()
        self._by_key.clear()
        self._used = 0

    def stats(self) -> tuple[int, int]:
        """How many entries there are, and how many bytes they and those being written take."""
        return len(self._held), self._used

    async def set_max_size(self, max_size: int) -> None:
        """Change the bound, in bytes; evicts at once what is too much."""
        self._max_size = max_size
        await self._evict()

    async def take(self, size: int, written: int) -> bool:
        """Reserve `size` bytes for a body that has `written` bytes by then, evicting if need be."""
        if not self._fits(written):
            return False
        self._used += size
        await self._evict()
        if self._used <= self._max_size:
            return True
        self._used -= size
        return False

    def give_back(self, size: int) -> None:
        """Return bytes that were reserved."""
        self._used -= size

    def publish(self, key: str, entry: StoredEntry, pieces: list[bytes], size: int) -> None:
        """Make a complete entry visible; its `size` bytes are reserved already."""
        self._held[entry.id] = _Held(key, entry, size, pieces)
        self._by_key[key].append(entry.id)

    def _fits(self, length: int) -> bool:
        return length <= self._max_size and (self._max_entry_size is None or length <= self._max_entry_size)

    async def _evict(self) -> None:
        while self._used > self._max_size and self._held:
            await self.remove(next(iter(self._held)))


class _MemorySink:
    def __init__(self, store: MemoryCacheStore, key: str, entry: StoredEntry) -> None:
        self._store = store
        self._key = key
        self._entry = entry
        self._pieces: list[bytes] = []
        self._written = 0
        self._reserved = 0

    async def write(self, piece: bytes) -> bool:
        self._written += len(piece)
        if not await self._store.take(len(piece), self._written):
            await self.abort()
            return False
        self._reserved += len(piece)
        self._pieces.append(bytes(piece))
        return True

    async def commit(self) -> None:
        head = head_size(self._key, self._entry)
        if await self._store.take(head, self._written):
            entry = replace(self._entry, body_length=self._written)
            self._store.publish(self._key, entry, self._pieces, self._reserved + head)
        else:
            await self.abort()

    async def abort(self) -> None:
        self._store.give_back(self._reserved)
        self._reserved = 0
        self._pieces = []


def head_size(key: str, entry: StoredEntry) -> int:
    """What an entry takes in memory without its body, in bytes, rather too much than too little."""
    fields = [*entry.request.fields, *entry.response.fields]
    return _OBJECT_OVERHEAD + len(key) + sum(len(name) + len(value) + 128 for name, value in fields)
