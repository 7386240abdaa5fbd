"""Memory in front of the cache on disk: what is hot and small costs no disk, and a new entry is there at once.

What is here is only ever what the disk has, or what is on its way there. Several processes may share a database, so
every use compares its version (microseconds), and if it is another one, what it has under the key in question. A
removal is on disk when `remove` returns; new and freshened entries follow behind, in order, and a process that is
killed loses those that have not.
"""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace

from sluicegate.clock import Clock
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.ports import BodyReader
from sluicegate.stores.cache.pieces import Pieces, PiecesBody
from sluicegate.stores.cache_batch import Freshen, Put, Remove, Written
from sluicegate.stores.cache_disk import DiskCacheStore
from sluicegate.stores.cache_gather import Gathering
from sluicegate.stores.cache_shelves import Held, Shelf, Shelves
from sluicegate.stores.cache_write_behind import MAX_WAITING, WriteBehind

DEFAULT_MAX_BYTES = 64 * 1024 * 1024
DEFAULT_MAX_BODY = 256 * 1024
_LOOK_AGAIN_S = 60.0
"""The disk evicts by recency, so it is told at least this often of what is in use; hishel writes that down as often."""


class FrontCacheStore:
    """`ports.CacheStore` over one on disk, which it closes.

    `max_bytes` bounds the memory, `max_body` one body in it and `max_waiting` what waits to be written (bytes).
    """

    def __init__(
        self,
        disk: DiskCacheStore,
        *,
        clock: Clock,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_body: int = DEFAULT_MAX_BODY,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._disk = disk
        self._clock = clock
        self._max_body = max_body
        self._shelves = Shelves(max_bytes)
        self._writer = WriteBehind(disk.apply, max_waiting=max_waiting)
        self._removing: set[str] = set()
        self._closed = False

    async def entries(self, key: str) -> list[StoredEntry]:
        shelf = self._shelves.shelf(key)
        if shelf is None and await self._disk.usable() and not self._disk.has(key):
            return []
        if shelf is None or not self._is_current(key, shelf):
            return await self._load(key)
        return [held.entry for held in shelf.held]

    async def open_body(self, entry: StoredEntry) -> BodyReader:
        held = self._shelves.find(entry.id)
        if held is not None and held.body is not None:
            return PiecesBody(Pieces(held.body))
        reader = await self._disk.open_body(entry)
        if held is None or entry.body_length is None or entry.body_length > self._max_body:
            return reader
        held.body = await _whole(reader)
        self._shelves.weigh(held.key)
        return PiecesBody(Pieces(held.body))

    async def store(self, key: str, entry: StoredEntry, body: BodyReader) -> BodyReader:
        limit = min(self._max_body, self._disk.entry_limit)
        if (body.length or 0) > limit or not await self._disk.usable():
            return await self._disk.store(key, entry, body)

        async def publish(whole: bytes) -> None:
            await self._publish(key, replace(entry, id=uuid.uuid4().hex, body_length=len(whole)), whole)

        async def to_disk(again: BodyReader) -> BodyReader:
            return await self._disk.store(key, entry, again)

        gathering = Gathering(body, limit, on_whole=publish, on_too_large=to_disk)
        if body.length == 0:  # at its end already; nobody need read it
            await gathering.read()
        return gathering

    async def freshen(self, entry: StoredEntry) -> None:
        held = self._shelves.find(entry.id)
        if held is None:
            await self._disk.freshen(entry)
            return
        held.entry = replace(entry, body_length=held.entry.body_length)
        self._post(held, Freshen(held.key, held.entry))

    async def remove(self, entry_id: str) -> None:
        held = self._shelves.find(entry_id)
        if held is None:
            await self._disk.remove(entry_id)
            return
        self._shelves.remove(held)
        self._removing.add(entry_id)
        removed = asyncio.Event()

        def done(_written: Written | None) -> None:
            self._removing.discard(entry_id)
            removed.set()

        self._writer.post(Remove(entry_id), done)
        await removed.wait()

    async def flush(self) -> None:
        """Wait until the disk has what was stored and freshened before."""
        await self._writer.flush()

    async def aclose(self) -> None:
        self._closed = True
        await self._writer.flush()
        await self._disk.aclose()

    def stats(self) -> tuple[int, int]:
        """How many entries there are, and how many bytes they take on disk and on the way there."""
        pending = self._shelves.pending()
        entries, size = self._disk.stats(leave_out=[held.entry.id for held in pending])
        return entries + len(pending), size + sum(len(held.body or b"") for held in pending)

    async def set_max_size(self, max_size: int) -> None:
        """Change the bound of the disk, in bytes."""
        await self._disk.set_max_size(max_size)

    async def _publish(self, key: str, entry: StoredEntry, body: bytes) -> None:
        """Show a complete entry and have it written; waits only when too much is waiting already."""
        if self._closed:
            return
        held = Held(key, entry, body, pending=1)
        self._shelves.add(held, look_again_at=self._clock.now() + _LOOK_AGAIN_S)
        self._writer.post(Put(key, entry, body), self._written(held))
        await self._writer.room()

    def _post(self, held: Held, change: Freshen) -> None:
        held.pending += 1
        self._writer.post(change, self._written(held))

    def _written(self, held: Held) -> Callable[[Written | None], None]:
        """What to do once a change of an entry is on disk, or could not be made."""

        def done(written: Written | None) -> None:
            held.pending -= 1
            if written is None:
                self._shelves.remove(held)
                return
            held.head = written.head
            self._shelves.weigh(held.key)

        return done

    def _is_current(self, key: str, shelf: Shelf) -> bool:
        """Whether the shelf has what the disk has, but for what is on its way."""
        version = self._disk.version()
        if version is None or self._clock.now() >= shelf.look_again_at:
            return False
        if version != shelf.version:
            if not self._agrees(shelf, self._disk.heads(key)):
                return False
            shelf.version = version
        return True

    def _agrees(self, shelf: Shelf, heads: dict[str, bytes]) -> bool:
        on_their_way = {held.entry.id for held in shelf.held if held.pending}
        written = {held.entry.id: held.head for held in shelf.held if not held.pending}
        return written == {entry_id: head for entry_id, head in heads.items() if entry_id not in on_their_way}

    async def _load(self, key: str) -> list[StoredEntry]:
        """Look the key up on disk, and keep what it has.

        The version is read first: what changes meanwhile makes it another one, and the next use compares.
        """
        if not await self._disk.usable():
            self._shelves.take_down(key)
            return []
        version, heads = self._disk.version(), self._disk.heads(key)
        before = self._shelves.shelf(key) or Shelf()
        settled = {held.entry.id: held for held in before.held if not held.pending}
        found = await self._disk.entries(key)
        now = self._shelves.shelf(key) or Shelf()
        newer = [held for held in now.held if held.pending or held.entry.id not in settled]
        skipped = {held.entry.id for held in newer} | self._removing
        held = [*(_held(key, entry, settled, heads) for entry in found if entry.id not in skipped), *newer]
        if held:
            self._shelves.put_up(key, Shelf(held, version, self._clock.now() + _LOOK_AGAIN_S))
        else:
            self._shelves.take_down(key)
        return [one.entry for one in held]


def _held(key: str, entry: StoredEntry, settled: dict[str, Held], heads: dict[str, bytes]) -> Held:
    """An entry as it was loaded; what is known of it already stays, bodies never change."""
    before, head = settled.get(entry.id), heads.get(entry.id)
    if before is not None and before.head == head:
        return before
    return Held(key, entry, before.body if before is not None else None, head)


async def _whole(reader: BodyReader) -> bytes:
    pieces = []
    try:
        while piece := await reader.read():
            pieces.append(piece)
    finally:
        await reader.aclose()
    return b"".join(pieces)
