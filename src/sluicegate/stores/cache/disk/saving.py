"""A response on its way to the disk: a small body is gathered in memory, a larger one flows into a file."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from os import pread
from zlib import crc32

from sluicegate.clock import Clock
from sluicegate.core.caching.digests import digesting
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.disk.bodies import Share, close_file, write_all
from sluicegate.stores.cache.disk.changes import Abandon, Put, Reserve
from sluicegate.stores.cache.disk.opened import Disk
from sluicegate.stores.cache.disk.writer import MAX_WAITING
from sluicegate.stores.cache.pieces import Pieces
from sluicegate.tasks import spawn

INLINE = 64 * 1024
"""The largest body that the database keeps itself, in bytes."""
_LARGEST_STEP = 16 * 1024 * 1024
_SMALLEST_STEP = 64 * 1024
_STEPS = 256
"""Room is reserved in steps where the length is not known: this many for all there is, within these bounds (bytes)."""
_GATHER_TOTAL = 16 * 1024 * 1024
_READ_BACK = 256 * 1024


@dataclass(slots=True)
class Means:
    """What all writers of a store share."""

    ready: Callable[[], Awaitable[Disk | None]]
    clock: Clock
    pool: Executor
    failed: Callable[[Exception], None]
    """Told what went wrong with a file."""
    worked: Callable[[], None]
    """Told that something was stored."""
    share: Share = field(default_factory=lambda: Share(_GATHER_TOTAL // 2, smallest=32 * 1024, largest=1024 * 1024))
    """One piece is gathered while the one before is written."""


class _File:
    """The file that a larger body flows into."""

    def __init__(self, disk: Disk, entry_id: int) -> None:
        self.disk = disk
        self.id = entry_id
        self.handle = -1
        self.reserved = 0
        self.written = 0
        self.writing = Pieces()
        self.digesting = digesting()

    def write(self, pieces: list[bytes]) -> None:
        """Write what comes next. For a thread. Raises OSError."""
        for piece in pieces:
            self.digesting.update(piece)
        write_all(self.handle, pieces, self.written)


class DiskWriter:
    """`ports.EntryWriter`. `limit` bounds the body, `head` is the entry as it will be on disk.

    `since` is the key's marks of when the request was sent: if they are others at the end, nothing is kept.
    """

    __slots__ = (
        "_ended",
        "_entry",
        "_file",
        "_flushing",
        "_gathered",
        "_head",
        "_key",
        "_length",
        "_limit",
        "_means",
        "_over",
        "_since",
        "_size",
    )

    def __init__(
        self,
        means: Means,
        key: str,
        entry: StoredEntry,
        head: bytes,
        *,
        length: int | None,
        limit: int,
        since: int | None = None,
    ) -> None:
        self._means = means
        self._key = key
        self._entry = entry
        self._head = head
        self._length = length
        self._limit = limit
        self._since = since
        self._size = 0
        self._gathered = Pieces()
        self._file: _File | None = None
        self._flushing: asyncio.Task[bool] | None = None
        self._over = False
        self._ended = False

    async def write(self, piece: bytes) -> bool:
        if self._over:
            return False
        self._size += len(piece)
        if self._size > self._limit or (self._length is not None and self._size > self._length):
            await self._give_up()
            return False
        self._gathered.append(piece)
        if self._size <= INLINE or (self._file is not None and len(self._gathered) < self._means.share.each):
            return True
        if await self._flush():
            return True
        await self._give_up()
        return False

    async def read(self, start: int) -> bytes:
        file = self._file
        if self._over:
            raise CacheStoreError("the response is no longer being stored")
        if file is None:
            return self._gathered.read(start)
        if start >= file.written + len(file.writing):
            return self._gathered.read(start - file.written - len(file.writing))
        if start >= file.written:
            return file.writing.read(start - file.written)
        try:
            size = min(_READ_BACK, file.written - start)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._means.pool, pread, file.handle, size, start)
        except (OSError, RuntimeError) as error:
            raise CacheStoreError(f"the response that is being stored cannot be read: {error}") from error

    async def commit(self) -> StoredEntry | None:
        if self._over or (self._length is not None and self._size != self._length):
            await self._give_up()
            return None
        committed = await (self._commit_small() if self._file is None else self._commit_file(self._file))
        if committed is None:
            await self._give_up()
        return committed

    async def aclose(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._over = True
        self._gathered = Pieces()
        if self._file is not None:
            # In a task of its own: whoever closes us may be cancelled, and the file must be let go of all the same.
            await asyncio.shield(spawn(self._let_go(self._file), name="cache-body-closer"))

    async def _commit_small(self) -> StoredEntry | None:
        disk = await self._means.ready()
        if disk is None:
            return None
        entry = self.commit_now(disk, self._gathered.whole())
        if disk.writer.waiting > MAX_WAITING:
            await disk.writer.room()
        return entry

    def commit_now(self, disk: Disk, body: bytes) -> StoredEntry | None:
        """Make an entry with this body, a small one, visible at once, while it is on its way to the disk; None if not."""
        self._size = len(body)
        entry_id, since = disk.ids.take(), self._since
        crc = crc32(self._key.encode("utf-8", "surrogatepass"))
        if not entry_id or disk.board.outdated(crc, since):
            return None
        entry = self._stored_as(entry_id)
        put = self._put(disk, entry_id, body)
        held = disk.front.add(self._key, entry, body, put.revision, len(self._head))
        put.shelf = held.shelf
        settled, worked = disk.front.settled, self._means.worked

        def done(made: bool) -> None:
            settled(held, done=made)
            if made:
                worked()
                # Who has invalidated it before it was on disk has not found it there.
                if disk.board.outdated(crc, since):
                    disk.post_removal(entry_id, _nothing)

        disk.writer.post(put, done)
        return entry

    async def _commit_file(self, file: _File) -> StoredEntry | None:
        if not await self._flush() or not await self._flushed():
            return None
        put = self._put(file.disk, file.id, None, file.digesting.digest())
        if not await file.disk.writer.make(put):
            return None
        file.reserved = 0
        if file.disk.board.outdated(put.crc, self._since):
            file.disk.post_removal(file.id, _nothing)
            return None
        self._means.worked()
        return self._stored_as(file.id)

    def _put(self, disk: Disk, entry_id: int, body: bytes | None, digest: bytes | None = None) -> Put:
        key = self._key.encode("utf-8", "surrogatepass")
        entry = self._entry
        used = int(self._means.clock.wall() * 1000)
        return Put(
            entry_id,
            key,
            crc32(key),
            disk.mark(key),
            self._head,
            entry.request_time,
            entry.response_time,
            entry_id,
            self._size,
            body,
            used,
            digest=digest,
        )

    def _stored_as(self, entry_id: int) -> StoredEntry:
        entry = self._entry
        return StoredEntry(
            str(entry_id), entry.request, entry.response, entry.request_time, entry.response_time, self._size
        )

    async def _flush(self) -> bool:
        """Have what was gathered written while more is gathered; waits for what was begun before."""
        if not await self._flushed():
            return False
        if self._file is None and not await self._begin_file():
            return False
        file = self._file
        if file is None or self._over:
            return False
        file.writing, self._gathered = self._gathered, Pieces()
        if len(file.writing):
            self._flushing = spawn(self._write(file), name="cache-body-writer")
        return True

    async def _flushed(self) -> bool:
        flushing = self._flushing
        return flushing is None or await asyncio.shield(flushing)

    async def _begin_file(self) -> bool:
        disk = await self._means.ready()
        entry_id = disk.ids.take() if disk is not None else 0
        if disk is None or not entry_id or self._over:
            return False
        self._file = file = _File(disk, entry_id)
        self._means.share.enter()
        return await self._reserve(file, self._length or self._size) and await self._create(file)

    async def _reserve(self, file: _File, end: int) -> bool:
        """Have room for the file up to `end`; in steps, where it is not known how long it will be."""
        if end > file.reserved:
            step = max(_SMALLEST_STEP, min(_LARGEST_STEP, file.disk.max_size // _STEPS))
            wanted = self._length or min(self._limit, -(-end // step) * step)
            if not await file.disk.writer.make(Reserve(file.id, wanted)):
                return False
            file.reserved = wanted
        return True

    async def _create(self, file: _File) -> bool:
        loop = asyncio.get_running_loop()
        try:
            file.handle = await loop.run_in_executor(self._means.pool, file.disk.files.create, file.id)
        except (OSError, RuntimeError) as error:
            self._means.failed(error)
            return False
        return True

    async def _write(self, file: _File) -> bool:
        pieces = []
        at = 0
        while piece := file.writing.read(at):
            pieces.append(piece)
            at += len(piece)
        loop = asyncio.get_running_loop()
        try:
            if not await self._reserve(file, file.written + at):
                return False
            await loop.run_in_executor(self._means.pool, file.write, pieces)
        except (OSError, RuntimeError) as error:
            self._means.failed(error)
            return False
        file.written += at
        file.writing = Pieces()
        return True

    async def _give_up(self) -> None:
        self._over = True
        await self.aclose()

    async def _let_go(self, file: _File) -> None:
        if self._flushing is not None:
            await self._flushing
        self._means.share.leave()
        if file.handle >= 0:
            close_file(self._means.pool, file.handle)
        if file.reserved:
            await file.disk.writer.make(Abandon([file.id]))


def _nothing(_made: bool) -> None:
    """Nobody waits for it."""
