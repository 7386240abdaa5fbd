"""Larger bodies: one file each, written and read in threads, in chunks that are small when many are under way.

A file is never synced: what a killed process has written is in the system's hands and survives it. A machine that
loses power may keep a file shorter than its entry says; that is seen when the file is opened, and the entry goes.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from sluicegate.core.http import FieldList
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.disk.database import make_private

_FANOUT = 256
FIRST_CHUNK = 64 * 1024


class BodyFiles:
    """The files of one database's entries, by the entry's id. Everything here waits for the disk."""

    def __init__(self, directory: Path, generation: int) -> None:
        self._parent = directory
        self._directory = directory / f"bodies-{generation:x}"

    def path(self, entry_id: int) -> Path:
        """Where an entry's file is."""
        return self._directory / f"{entry_id % _FANOUT:02x}" / f"{entry_id:x}"

    def create(self, entry_id: int) -> int:
        """A new file, open for reading and writing. Raises OSError."""
        path = self.path(entry_id)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            make_private(self._directory)
            make_private(path.parent)
            return os.open(path, flags, 0o600)

    def open(self, entry_id: int, length: int) -> int:
        """An entry's file, open for reading. Raises CacheStoreError when it is gone or not whole."""
        try:
            file = os.open(self.path(entry_id), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise CacheStoreError(f"the body of a stored response cannot be opened: {error.strerror}") from error
        if (there := os.fstat(file).st_size) != length:
            os.close(file)
            raise CacheStoreError(f"the body of a stored response has {there} bytes instead of {length}")
        return file

    def delete(self, entry_id: int) -> None:
        """Delete an entry's file, if it is there. Raises OSError."""
        self.path(entry_id).unlink(missing_ok=True)

    def ids(self) -> list[int]:
        """Whose files there are."""
        found = []
        for path in self._directory.glob("*/*"):
            with contextlib.suppress(ValueError):
                found.append(int(path.name, 16))
        return found

    def delete_strangers(self) -> None:
        """Delete the files of databases that are no longer here."""
        for other in self._parent.glob("bodies-*"):
            if other != self._directory:
                shutil.rmtree(other, ignore_errors=True)


class Share:
    """How large a piece of memory each of several users may have, so that all together stay within a bound (bytes)."""

    def __init__(self, total: int, *, smallest: int, largest: int) -> None:
        self._total = total
        self._smallest = smallest
        self._largest = largest
        self._users = 0

    def enter(self) -> None:
        """One user more."""
        self._users += 1

    def leave(self) -> None:
        """One user less."""
        self._users -= 1

    @property
    def each(self) -> int:
        """A power of two, unless it is one of the bounds."""
        share = self._total // max(1, self._users)
        return max(self._smallest, min(self._largest, 1 << (share.bit_length() - 1)))


class FileBody:
    """`ports.BodyReader` of the bytes from `start` to `end` of a file, which it closes. Reads one chunk ahead.

    `gone` is told when the file turns out to be shorter than it was when it was opened.
    """

    def __init__(
        self, file: int, start: int, end: int, *, pool: Executor, share: Share, gone: Callable[[], None]
    ) -> None:
        self.length: int | None = end - start
        self.trailers: FieldList = []
        self._file = file
        self._at = start
        self._end = end
        self._chunk = FIRST_CHUNK
        self._pool = pool
        self._share = share
        self._gone = gone
        self._ahead: asyncio.Future[bytes] | None = None
        self._open = True
        share.enter()

    async def read(self) -> bytes:
        if self._ahead is None:
            self._read_ahead()
        if self._ahead is None:
            return b""
        try:
            # Shielded: a reader that is cancelled must not make us forget a read that still uses the file.
            piece = await asyncio.shield(self._ahead)
        except OSError as error:
            raise CacheStoreError(f"the body of a stored response cannot be read: {error.strerror}") from error
        if not piece:
            self._gone()
            raise CacheStoreError(f"the body of a stored response ends {self._end - self._at} bytes early")
        self._at += len(piece)
        self._ahead = None
        self._chunk = min(self._chunk * 4, self._share.each)
        if self._at < self._end:
            self._read_ahead()
        else:
            await self.aclose()
        return piece

    async def aclose(self) -> None:
        if not self._open:
            return
        self._open = False
        self._share.leave()
        self._at = self._end
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead.done():
            self._close_file()
        else:
            ahead.add_done_callback(lambda _: self._close_file())

    def _close_file(self) -> None:
        close_file(self._pool, self._file)

    def _read_ahead(self) -> None:
        if self._open and self._at < self._end:
            size = min(self._chunk, self._end - self._at)
            loop = asyncio.get_running_loop()
            try:
                self._ahead = loop.run_in_executor(self._pool, os.pread, self._file, size, self._at)
            except RuntimeError as error:
                raise CacheStoreError("the store is closed") from error


def close_file(pool: Executor, file: int) -> None:
    """Close a file in a thread: the last handle of a large file that was deleted takes as long as deleting it."""
    try:
        pool.submit(os.close, file)
    except RuntimeError:  # the store was closed first
        os.close(file)


def write_all(file: int, pieces: list[bytes], offset: int) -> None:
    """Write pieces at an offset. Raises OSError."""
    views = [memoryview(piece) for piece in pieces]
    while views:
        written = os.pwritev(file, views, offset)
        offset += written
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if views and written:
            views[0] = views[0][written:]
