"""The cache on disk: hishel's SQLite storage in a directory of its own, kept out of the way of requests.

A store that fails loses entries, never requests: whatever goes wrong is told as a Notice, answered as a miss, and
tried again after a while. A database that is damaged or somebody else's is set aside under another name.
"""

import asyncio
import contextlib
import logging
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hishel import AsyncSqliteStorage, Entry, Response

from sluicegate.clock import Clock
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.core.ports import BodyReader, EventSink
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache_batch import HEAD_FIELD, Change, Put, Written, apply, headers_of, request_of
from sluicegate.stores.cache_codec import load_entry
from sluicegate.stores.cache_connection import DiskConnection, is_corrupt
from sluicegate.stores.cache_disk_body import DiskEntry, PendingStream, SavingBody, StoredBody, as_generator, pieces
from sluicegate.stores.cache_index import CacheIndex

if TYPE_CHECKING:
    import anysqlite

DATABASE_NAME = "cache.db"
DEFAULT_MAX_SIZE = 10 * 1024**3
_RETRY_AFTER_S = 10.0

# hishel logs a traceback for each statement that fails; each failure is told here as a Notice.
logging.getLogger("hishel").propagate = False
logging.getLogger("hishel").addHandler(logging.NullHandler())


@dataclass(slots=True)
class _Open:
    connection: DiskConnection
    storage: AsyncSqliteStorage
    index: CacheIndex
    inode: int
    corrupt: bool = False

    async def aclose(self) -> None:
        self.index.close()
        await self.storage.close()


class _Unusable(Exception):
    """The file is there and cannot be used as it is."""


class DiskCacheStore:
    """`ports.CacheStore` in `directory`, which is made when needed.

    `max_size` bounds the database file, `max_entry_size` one body (bytes). Several processes may share a directory.
    """

    def __init__(
        self,
        directory: Path,
        *,
        events: EventSink,
        clock: Clock,
        max_size: int = DEFAULT_MAX_SIZE,
        max_entry_size: int | None = None,
    ) -> None:
        self._path = directory / DATABASE_NAME
        self._events = events
        self._clock = clock
        self._max_size = max_size
        self._max_entry_size = max_entry_size
        self._open: _Open | None = None
        self._opening = asyncio.Lock()
        self._retry_at = 0.0
        self._quiet_until = 0.0
        self._closed = False

    async def entries(self, key: str) -> list[StoredEntry]:
        opened = await self._ready()
        if opened is None:
            return []
        try:
            lengths = opened.index.body_lengths(key)
        except sqlite3.Error as error:
            self._failed(error)
            return []
        if not lengths:
            return []
        try:
            found = await opened.storage.get_entries(key)
        except RuntimeError:  # closed meanwhile
            return []
        loaded = [await self._load(opened, entry, lengths) for entry in found]
        return [entry for entry in loaded if entry is not None]

    async def open_body(self, entry: StoredEntry) -> BodyReader:
        stream = entry.stream.take() if isinstance(entry, DiskEntry) and entry.stream is not None else None
        if stream is None:
            again = [other for other in await self.entries(cache_key(entry.request)) if other.id == entry.id]
            stream = again[0].stream.take() if again and isinstance(again[0], DiskEntry) and again[0].stream else None
        if stream is None:
            raise CacheStoreError("the stored response is gone")
        body = StoredBody(stream, entry.body_length)
        await body.open()
        return body

    async def store(self, key: str, entry: StoredEntry, body: BodyReader) -> BodyReader:
        opened = await self._ready() if (body.length or 0) <= self.entry_limit else None
        if opened is None:
            return body
        source = pieces(body)
        response = Response(entry.response.status, headers_of(entry), source)
        try:
            created = await opened.storage.create_entry(request_of(key, entry), response, key)
        except RuntimeError:  # closed meanwhile
            return body
        if created.response.stream is source:
            return body
        saving = SavingBody(body, as_generator(created.response.stream))
        if body.length == 0:  # at its end already; nobody need read it
            await saving.read()
        return saving

    async def freshen(self, entry: StoredEntry) -> None:
        if (opened := await self._ready()) is not None:
            with contextlib.suppress(RuntimeError):
                await opened.storage.update_headers(uuid.UUID(hex=entry.id), headers_of(entry))

    async def remove(self, entry_id: str) -> None:
        if (opened := await self._ready()) is not None:
            with contextlib.suppress(RuntimeError):
                await opened.storage.remove_entry(uuid.UUID(hex=entry_id))

    async def aclose(self) -> None:
        self._closed = True
        async with self._opening:
            opened, self._open = self._open, None
            if opened is not None:
                await opened.aclose()

    @property
    def entry_limit(self) -> int:
        """The largest body that is stored, in bytes."""
        return self._max_size if self._max_entry_size is None else min(self._max_size, self._max_entry_size)

    async def usable(self) -> bool:
        """Whether anything can be stored just now."""
        return await self._ready() is not None

    async def apply(self, changes: Sequence[Change]) -> list[Written | None]:
        """Make changes, in order and all at once; None for what could not be done. Never raises."""
        try:
            return await self._apply(changes)
        except sqlite3.Error as error:
            self._failed(error)
        # On a full disk nothing can be added, but things can be removed.
        added = [isinstance(change, Put) for change in changes]
        if not any(added):
            return [None] * len(changes)
        others = iter(await self.apply([change for change in changes if not isinstance(change, Put)]))
        return [None if is_put else next(others) for is_put in added]

    def version(self) -> tuple[int, int] | None:
        """Another value after each change to the database, by whichever process; None while it is not open."""
        return self._read(lambda opened: (opened.inode, opened.index.version()), None)

    def has(self, key: str) -> bool:
        """Whether anything is stored under `key`; microseconds."""
        opened = self._open
        if opened is None or opened.corrupt:
            return False
        try:
            return opened.index.has(key)
        except sqlite3.Error as error:
            self._failed(error)
            return False

    def heads(self, key: str) -> dict[str, bytes]:
        """What is stored of the heads of the entries under `key`, by id: the same bytes, the same head."""
        return self._read(lambda opened: opened.index.heads(key), {})

    def stats(self, leave_out: Iterable[str] = ()) -> tuple[int, int]:
        """How many entries there are besides those left out, and how many bytes of the database are in use."""
        return self._read(lambda opened: opened.index.totals(leave_out), (0, 0))

    async def set_max_size(self, max_size: int) -> None:
        """Change the bound, in bytes; what is too much is evicted as new entries come."""
        self._max_size = max_size
        if self._open is not None:
            self._open.storage.max_size = max_size

    def _read[T](self, read: Callable[[_Open], T], nothing: T) -> T:
        """What `read` finds, at once; `nothing` while the database is not open, or fails."""
        if self._open is None or self._open.corrupt:
            return nothing
        try:
            return read(self._open)
        except sqlite3.Error as error:
            self._failed(error)
            return nothing

    async def _apply(self, changes: Sequence[Change]) -> list[Written | None]:
        opened = await self._ready()
        if opened is None:
            return [None] * len(changes)
        now, max_size = self._clock.wall(), self._max_size
        return await opened.connection.call(lambda db: apply(db, changes, now=now, max_size=max_size))

    async def _load(self, opened: _Open, found: Entry, lengths: dict[str, int]) -> StoredEntry | None:
        entry_id = found.id.hex
        if entry_id not in lengths:
            return None
        try:
            text = found.response.headers.get(HEAD_FIELD, "")
            entry = load_entry(text, entry_id=entry_id, body_length=lengths[entry_id])
        except CacheStoreError:
            with contextlib.suppress(RuntimeError):
                await opened.storage.remove_entry(found.id)
            return None
        return DiskEntry(
            entry.id,
            entry.request,
            entry.response,
            entry.request_time,
            entry.response_time,
            entry.body_length,
            PendingStream(found.response.stream),
        )

    async def _ready(self) -> _Open | None:
        """The open database, opened or replaced if need be; None while that fails."""
        if self._open is not None and not self._open.corrupt:
            return self._open
        if self._closed or self._clock.now() < self._retry_at:
            return None
        async with self._opening:
            if self._closed or (self._open is not None and not self._open.corrupt):
                return self._open
            try:
                await self._reopen()
            except (sqlite3.Error, OSError, _Unusable) as error:
                self._retry_at = self._clock.now() + _RETRY_AFTER_S
                self._tell("cache_store_unavailable", f"The cache cannot be opened, all requests miss: {error}")
        return self._open

    async def _reopen(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            await opened.aclose()
            self._set_aside(opened.inode, "it is damaged")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._open = await self._connect()
        except _Unusable as error:
            self._set_aside(self._path.stat().st_ino, str(error))
            self._open = await self._connect()

    async def _connect(self) -> _Open:
        """Open the database. Raises _Unusable when the file is at fault, sqlite3.Error or OSError otherwise."""
        connection = await DiskConnection.open(self._path, self._failed)
        storage = AsyncSqliteStorage(
            connection=cast("anysqlite.Connection", connection),
            max_size=self._max_size,
            max_stream_size=self._max_entry_size,
        )
        try:
            # hishel sets its tables up at the first use, and swallows what goes wrong but for a foreign schema.
            await storage.get_entries("")
            if connection.failure is not None:
                raise connection.failure
            return _Open(connection, storage, CacheIndex(self._path), self._path.stat().st_ino)
        except RuntimeError as error:
            await storage.close()
            raise _Unusable("it belongs to another program") from error
        except sqlite3.Error as error:
            await storage.close()
            if is_corrupt(error):
                raise _Unusable("it is damaged") from error
            raise

    def _set_aside(self, inode: int, why: str) -> None:
        """Rename the database, unless another process has done so and put a new one in its place."""
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino != inode:
                return
        stamp = datetime.fromtimestamp(self._clock.wall(), UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = self._path.with_name(f"{self._path.name}.corrupt-{stamp}")
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self._path.with_name(self._path.name + suffix).rename(aside.with_name(aside.name + suffix))
        self._tell("cache_store_set_aside", f"The cache database was set aside as {aside.name}: {why}", always=True)

    def _failed(self, error: sqlite3.Error) -> None:
        if is_corrupt(error) and self._open is not None:
            self._open.corrupt = True
        self._tell("cache_store_failed", f"The cache store failed, the request goes on without it: {error}")

    def _tell(self, event: str, message: str, *, always: bool = False) -> None:
        """Tell of a failure, but not of each one while the same trouble lasts."""
        now = self._clock.now()
        if always or now >= self._quiet_until:
            self._quiet_until = max(self._quiet_until, now + _RETRY_AFTER_S)
            fields: dict[str, object] = {"path": str(self._path)}
            self._events.emit(Notice(Stage.CACHE, event, Level.ERROR, message, fields))
