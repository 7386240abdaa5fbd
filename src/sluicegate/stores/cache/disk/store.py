"""`ports.CacheStore` on disk, in a directory that several processes may share.

Heads and small bodies are in SQLite (`schema.py`), larger bodies in a file each (`bodies.py`). What is in memory
(`front.py`) is answered at once; for all else threads read (`lookups.py`) and one writes (`writer.py`), and the event
loop never waits for the disk. A failing store loses entries, never requests: whatever goes wrong is told as a Notice
when it begins, answered as a miss, and tried again after a while.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from zlib import crc32

from sluicegate.clock import Clock
from sluicegate.core.caching.decisions import Span
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.listing import Listed
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.core.ports import BodyReader, EventSink
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.codec import dump_head
from sluicegate.stores.cache.disk.board import CHANGING
from sluicegate.stores.cache.disk.bodies import FileBody, Share
from sluicegate.stores.cache.disk.changes import Abandon, Freshen, Remove, Resize, Settle, Sweep, Touch
from sluicegate.stores.cache.disk.faults import Fault, Replaced, TooNew, is_corrupt, is_replaced
from sluicegate.stores.cache.disk.lookups import load, where_body_is
from sluicegate.stores.cache.disk.opened import Disk, Wanted, open_disk
from sluicegate.stores.cache.disk.pages import page_after, page_under
from sluicegate.stores.cache.disk.saving import INLINE, DiskWriter, Means
from sluicegate.stores.cache.disk.writer import MAX_WAITING
from sluicegate.stores.cache.front import DEFAULT_MAX_BODY, DEFAULT_MAX_BYTES
from sluicegate.stores.cache.pieces import Pieces, PiecesBody
from sluicegate.stores.permits.file import boot_id
from sluicegate.tasks import spawn

DEFAULT_MAX_SIZE = 10 * 1024**3
RETRY_AFTER_S = 5.0
_WATCH_EVERY_S = 1.0
_SWEEP_EVERY_S = 60.0
_TRIES = 8
_ID_DIGITS = 20
_FILE_THREADS = 4
_READ_TOTAL = 16 * 1024 * 1024


class DiskCacheStore:
    """Must be made with a running event loop.

    `max_size` bounds all that is in `directory`, `max_entry_size` one body, `front_bytes` the memory in front of it and
    `front_body` one body there (bytes). `boot` names the machine's boot. With `repairs`, what proves to be damaged when it
    is read is removed.
    """

    def __init__(
        self,
        directory: Path,
        *,
        events: EventSink,
        clock: Clock,
        max_size: int = DEFAULT_MAX_SIZE,
        max_entry_size: int | None = None,
        front_bytes: int = DEFAULT_MAX_BYTES,
        front_body: int = DEFAULT_MAX_BODY,
        boot: str | None = None,
        repairs: bool = True,
    ) -> None:
        self._events = events
        self._clock = clock
        self._max_entry_size = max_entry_size
        self._repairs = repairs
        self._wanted = Wanted(directory, clock, boot_id() if boot is None else boot, max_size, front_bytes, front_body)
        self._pool = ThreadPoolExecutor(_FILE_THREADS, thread_name_prefix="cache-file")
        self._reads = Share(_READ_TOTAL // 2, smallest=16 * 1024, largest=1024 * 1024)
        self._means = Means(self._ready, clock, self._pool, self._trouble, self._worked)
        self._disk: Disk | None = None
        self._retired: list[Disk] = []
        self._missed: set[int] = set()
        """What was to be removed while the directory could not be opened."""
        self._failing = False
        self._told_of_loss = False
        self._retry_at = 0.0
        self._sweep_at = clock.now() + _SWEEP_EVERY_S
        self._closed = False
        self._opening: asyncio.Task[None] | None = spawn(self._open(), name="cache-opener")
        self._watching = spawn(self._watch(), name="cache-watcher")

    def recall(self, key: str) -> list[StoredEntry] | None:
        disk = self._disk
        return None if disk is None else disk.front.recall(key)

    async def entries(self, key: str) -> list[StoredEntry]:
        for _ in range(_TRIES):
            disk = await self._ready()
            if disk is None:
                return []
            found = disk.front.recall(key)
            if found is None:
                found = await self._load(disk, key)
            if found is not None:
                return found
        return []

    def body_at_hand(self, entry: StoredEntry) -> bytes | None:
        disk = self._disk
        return None if disk is None else disk.front.at_hand(entry)

    async def open_body(self, entry: StoredEntry, span: Span | None = None) -> BodyReader:
        body = self.body_at_hand(entry)
        if body is not None:
            return PiecesBody(Pieces(body), span)
        disk = await self._ready()
        number = _number(entry.id)
        if disk is None or number is None:
            raise CacheStoreError("the stored response is gone")
        try:
            return await self._open_body(disk, number, span)
        except sqlite3.Error as error:
            if disk is self._disk:
                self._trouble(error)
            raise CacheStoreError(f"the cache store failed: {error}") from error

    def moment(self, key: str) -> int | None:
        disk = self._disk
        return None if disk is None else disk.board.mark(crc32(key.encode("utf-8", "surrogatepass")))

    def invalidate(self, key: str) -> None:
        if self._disk is not None:
            self._disk.board.change_mark(crc32(key.encode("utf-8", "surrogatepass")))

    def begin(self, key: str, entry: StoredEntry, length: int | None, since: int | None = None) -> DiskWriter | None:
        limit = self._limit
        if self._closed or (length or 0) > limit or (self._failing and self._clock.now() < self._retry_at):
            return None
        try:
            head = dump_head(entry)
        except CacheStoreError:
            return None
        return DiskWriter(self._means, key, entry, head, length=length, limit=limit, since=since)

    def keep_now(self, key: str, entry: StoredEntry, body: bytes, since: int | None = None) -> bool:
        disk = self._disk
        if disk is None or self._closed or self._failing or len(body) > INLINE or disk.writer.waiting > MAX_WAITING:
            return False
        writer = self.begin(key, entry, len(body), since)
        return writer is not None and writer.commit_now(disk, body) is not None

    async def freshen(self, entry: StoredEntry) -> None:
        disk = await self._ready()
        number = _number(entry.id)
        if disk is None or number is None:
            return
        try:
            head = dump_head(entry)
        except CacheStoreError:
            return
        change = Freshen(number, head, entry.request_time, entry.response_time, disk.ids.take())
        held = disk.front.freshen(entry, change.revision, len(change.head))
        if held is None:  # whoever looks it up next asks the disk
            await disk.writer.make(change)
            return
        change.shelf = held.shelf
        disk.writer.post(change, lambda made: disk.front.settled(held, done=made))
        await disk.writer.room()

    async def remove(self, entry_id: str) -> None:
        with suppress(CacheStoreError):
            await self.remove_all((entry_id,))

    async def remove_all(self, entry_ids: Sequence[str]) -> None:
        numbers = [number for entry_id in entry_ids if (number := _number(entry_id)) is not None]
        if not numbers:
            return
        disk = await self._ready()
        if disk is None:
            self._missed.update(numbers)
            raise CacheStoreError("the cache cannot be opened")
        removed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        left = len(numbers)
        failed = 0

        def done(made: bool) -> None:
            nonlocal left, failed
            left -= 1
            failed += not made
            if not left and not removed.done():
                removed.set_result(None)

        for number in numbers:
            disk.post_removal(number, done)
        disk.writer.hurry()
        await removed
        if failed:
            raise CacheStoreError(f"{failed} of {len(numbers)} responses could not be removed")

    async def listed(self, prefix: str = "", *, exact: bool = False) -> AsyncIterator[Listed]:
        disk = await self._ready()
        if disk is None:
            raise CacheStoreError("the cache cannot be opened")
        await disk.writer.make(Abandon([]))  # what was stored just now is listed, too
        name = prefix.encode("utf-8", "surrogatepass")
        last: int | None = 0
        while last is not None:
            try:
                page = await disk.lookups.ask(
                    partial(page_under, key=name, crc=crc32(name), mark=disk.mark(name))
                    if exact
                    else partial(page_after, last=last, prefix=name)
                )
            except sqlite3.Error as error:
                if disk is self._disk:
                    self._trouble(error)
                raise CacheStoreError(f"the cache store failed: {error}") from error
            for entry_id in page.damaged:
                self._drop(disk, entry_id)
            if page.damaged and not self._repairs:
                self._tell_of_loss(
                    "The head of a stored response is damaged: it answers nothing, and is left out here."
                )
            for listed in page.listed:
                yield listed
            last = page.last

    async def set_max_size(self, max_size: int) -> None:
        self._wanted.max_size = max_size
        disk = await self._ready()
        if disk is not None:
            await disk.writer.make(Resize(max_size))

    def stats(self) -> tuple[int, int]:
        disk = self._disk
        if disk is None:
            return (0, 0)
        totals, writer = disk.writer.totals, disk.writer
        # What waits pushes out as much where there is no room for it.
        size = min(disk.max_size, totals.bytes + totals.reserved + writer.bytes_waiting)
        return totals.entries + writer.entries_waiting, size

    async def aclose(self) -> None:
        self._closed = True
        self._watching.cancel()
        if self._opening is not None:
            await self._opening
        disk, self._disk = self._disk, None
        if disk is not None and (uses := disk.front.uses()):
            disk.writer.post(Touch(uses))
        for one in [*self._retired, *([disk] if disk is not None else [])]:
            await one.aclose()
        self._retired = []
        await asyncio.to_thread(self._pool.shutdown)

    @property
    def _limit(self) -> int:
        """The largest body that is stored, in bytes."""
        bound = self._wanted.max_size
        return bound if self._max_entry_size is None else min(bound, self._max_entry_size)

    async def _load(self, disk: Disk, key: str) -> list[StoredEntry] | None:
        """Look a key up on disk, and keep what it has in memory; None when it changed meanwhile."""
        place, stamp = disk.front.stamp_for(key)
        if stamp & CHANGING:
            # Whoever set this is dead, or done by the time that our own writer has its turn.
            await disk.writer.make(Settle(place))
            return None
        bodies = not disk.front.knows(key)
        name = key.encode("utf-8", "surrogatepass")
        try:
            found, damaged = await disk.lookups.ask(
                lambda db: load(db, name, crc32(name), disk.mark(name), bodies=bodies)
            )
        except (sqlite3.Error, CacheStoreError) as error:
            if disk is self._disk:
                self._trouble(error)
            return []
        for entry_id in damaged:
            self._drop(disk, entry_id)
        return disk.front.take(key, stamp, found) if disk is self._disk else None

    async def _open_body(self, disk: Disk, entry_id: int, span: Span | None) -> BodyReader:
        length, body = await disk.lookups.ask(lambda db: where_body_is(db, entry_id))
        if body is None:
            loop = asyncio.get_running_loop()
            try:
                file = await loop.run_in_executor(self._pool, disk.files.open, entry_id, length)
            except CacheStoreError:
                # One that was removed meanwhile has lost its file too: that is no damage, and this raises.
                await disk.lookups.ask(lambda db: where_body_is(db, entry_id))
                self._drop(disk, entry_id)
                raise
            start, end = (0, length) if span is None else (span.start, span.end)
            reader = FileBody(
                file, start, end, pool=self._pool, share=self._reads, gone=lambda: self._drop(disk, entry_id)
            )
            if length > disk.front.max_body:
                return reader
            if span is not None:
                return reader
            body = await _whole(reader)
        disk.front.keep_body(str(entry_id), body)
        return PiecesBody(Pieces(body), span)

    def _drop(self, disk: Disk, entry_id: int) -> None:
        """An entry that is not whole goes."""
        if not self._repairs:
            return
        disk.writer.post(Remove(entry_id))
        self._tell_of_loss(
            "A stored response is damaged or lost its body; it is removed, as are others that prove to be so."
        )

    def _tell_of_loss(self, message: str) -> None:
        if not self._told_of_loss:
            self._told_of_loss = True
            self._tell("cache_entry_lost", Level.WARNING, message)

    async def _ready(self) -> Disk | None:
        """The open directory, opened or opened again if need be; None while that fails."""
        if self._disk is not None or self._closed:
            return self._disk
        if self._opening is None:
            if self._clock.now() < self._retry_at:
                return None
            self._opening = spawn(self._open(), name="cache-opener")
        await asyncio.shield(self._opening)
        return self._disk

    async def _open(self) -> None:
        try:
            await self._close_retired()
            loop = asyncio.get_running_loop()
            disk = await asyncio.to_thread(open_disk, self._wanted, loop, self._trouble)
        except (sqlite3.Error, OSError, Fault) as error:
            self._retry_at = self._clock.now() + RETRY_AFTER_S
            if not self._failing:
                self._failing = True
                self._tell(
                    "cache_store_unavailable",
                    Level.ERROR,
                    f"The cache cannot be opened, all requests miss: {_advice(error)}",
                )
            return
        finally:
            self._opening = None
        for name, why in disk.aside:
            self._tell("cache_store_set_aside", Level.ERROR, f"The cache database was set aside as {name}: {why}")
        self._wanted.damaged = None
        for entry_id in self._missed:
            disk.writer.post(Remove(entry_id))
        if self._missed:
            await disk.writer.make(Abandon([]))
            self._missed.clear()
        self._disk = disk
        self._retry_at = 0.0
        self._worked()

    async def _close_retired(self) -> None:
        retired, self._retired = self._retired, []
        for disk in retired:
            await disk.aclose()

    def _trouble(self, error: Exception) -> None:
        """Something failed."""
        disk = self._disk
        if disk is not None and (is_corrupt(error) or is_replaced(error)):
            self._wanted.damaged = disk.inode if is_corrupt(error) else None
            self._disk = None
            self._retired.append(disk)
            self._opening = self._opening or spawn(self._open(), name="cache-opener")
            return
        self._retry_at = self._clock.now() + RETRY_AFTER_S
        if not self._failing:
            self._failing = True
            self._tell("cache_store_failed", Level.ERROR, f"The cache store failed, requests go on without it: {error}")

    def _worked(self) -> None:
        """Something succeeded: what failed before does so no longer, unless it has failed just now."""
        if self._failing and self._clock.now() >= self._retry_at:
            self._failing = False
            self._tell("cache_store_recovered", Level.INFO, "The cache store works again.")

    def _tell(self, event: str, level: Level, message: str) -> None:
        fields: dict[str, object] = {"path": str(self._wanted.directory)}
        self._events.emit(Notice(Stage.CACHE, event, level, message, fields))

    async def _watch(self) -> None:
        while True:
            await self._clock.sleep(_WATCH_EVERY_S)
            disk = self._disk
            if disk is None:
                continue
            now = self._clock.now()
            disk.front.minute = int(now // 60)
            if uses := disk.front.uses():
                disk.writer.post(Touch(uses))
            if now >= self._sweep_at:
                self._sweep_at = now + _SWEEP_EVERY_S
                disk.writer.post(Sweep())
            if disk.writer.owes:
                disk.writer.post(Abandon([]))
            await self._look(disk)

    async def _look(self, disk: Disk) -> None:
        """See whether the files are still in their places, and what other processes have added."""
        try:
            totals, in_place = await disk.lookups.ask(disk.look)
        except (sqlite3.Error, OSError, CacheStoreError) as error:
            if disk is self._disk:
                self._trouble(error)
            return
        if disk is self._disk:
            disk.writer.totals = totals
            if not in_place:
                self._trouble(Replaced("the cache's files were removed or replaced"))


def _number(entry_id: str) -> int | None:
    """An id as the database has it; None for what is no id of ours."""
    number = int(entry_id) if entry_id.isascii() and entry_id.isdecimal() and len(entry_id) < _ID_DIGITS else 0
    return number or None


async def _whole(reader: BodyReader) -> bytes:
    pieces = []
    try:
        while piece := await reader.read():
            pieces.append(piece)
    finally:
        await reader.aclose()
    return b"".join(pieces)


def _advice(error: Exception) -> str:
    """What is wrong with a directory, and what to do."""
    if isinstance(error, TooNew):
        return f"{error}. Use the version of Sluicegate that wrote it, or delete the cache directory."
    return str(error)
