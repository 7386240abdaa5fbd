"""Where log lines end up: a stream, or a file that rotates. Each write is a batch of whole lines."""

import contextlib
import itertools
import os
import select
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from sluicegate.errors import StartError

if sys.platform != "win32":
    import fcntl

_PIPE_BUF = getattr(select, "PIPE_BUF", 512)
_FILE_MODE = 0o640
_DIRECTORY_MODE = 0o750


class Output(Protocol):
    """Takes bytes that are whole lines."""

    def write(self, lines: bytes) -> None:
        """Write all of it, or raise OSError. May block: only the log's own thread calls it."""

    def close(self) -> None:
        """Let go of what is open; never raises."""


class StreamOutput:
    """Standard output, or any descriptor that somebody else owns.

    A pipe or a socket is locked meanwhile, for our other processes; into a pipe, pieces of whole lines go that are short
    enough for the kernel not to mix them with those of a writer who knows no lock.
    """

    def __init__(self, descriptor: int) -> None:
        self._fd = descriptor
        mode = os.fstat(descriptor).st_mode
        self._is_pipe = stat.S_ISFIFO(mode)
        self._is_stream = self._is_pipe or stat.S_ISSOCK(mode)

    def write(self, lines: bytes) -> None:
        with _record_lock(self._fd) if self._is_stream else contextlib.nullcontext():
            for piece in _pieces(lines, _PIPE_BUF) if self._is_pipe else (lines,):
                self._write_all(piece)

    def close(self) -> None:
        """Leave the descriptor open."""

    def _write_all(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                select.select([], [self._fd], [])


class FileOutput:
    """A file for any number of processes. It rotates by size, follows when moved away, and holds whole lines only.

    A batch is one append under the file's lock. On a full disk what was written of it is taken back, and so is what
    another process had written of a batch when it was killed. `rotate_size` is in bytes (0: never), `rotate_keep` the number of old files: `proxy.log.1` is the youngest. Raises StartError when
    the file cannot be opened at first; later trouble is an OSError of `write`.
    """

    def __init__(self, path: Path, *, rotate_size: int = 0, rotate_keep: int = 5) -> None:
        self._path = path.absolute()
        self._rotate_size = rotate_size
        self._rotate_keep = rotate_keep
        try:
            self._fd = self._open()
        except OSError as error:
            raise StartError(
                f"The log file {path} cannot be written: {error.strerror}.",
                advice="Name another with --log-file or log.file, or make its directory writable for this user.",
            ) from error
        self._whole = os.fstat(self._fd).st_size
        """The size up to which the file is known to hold whole lines, or what was there before us."""

    def write(self, lines: bytes) -> None:
        try:
            size = self._take_back_torn_line(self._lock_current())
            if size and 0 < self._rotate_size < size + len(lines):
                with contextlib.suppress(OSError):  # a file that has grown too long is better than lines lost
                    self._rotate()
                    size = self._lock_current()
            self._append(lines, size)
            self._whole = size + len(lines)
        finally:
            _unlock(self._fd)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def _open(self) -> int:
        self._path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _FILE_MODE)

    def _reopen(self) -> None:
        fresh = self._open()
        os.close(self._fd)
        self._fd = fresh
        self._whole = 0

    def _lock_current(self) -> int:
        """Lock the file that has the path now; gives its size."""
        while True:
            _lock(self._fd)
            opened = os.fstat(self._fd)
            if self._has_path(opened):
                return opened.st_size
            self._reopen()

    def _take_back_torn_line(self, size: int) -> int:
        """Cut off what does not end in a line end; gives the size then."""
        self._whole = min(self._whole, size)
        if self._whole == size or not self._path.is_file():
            return size
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) == b"\n":
                return size
            file.seek(self._whole)
            end = self._whole + file.read(size - self._whole).rfind(b"\n") + 1
        os.ftruncate(self._fd, end)
        return end

    def _append(self, lines: bytes, size: int) -> None:
        """Write all lines, or take back what was written and raise."""
        try:
            written = os.write(self._fd, lines)
            while written < len(lines):
                written += os.write(self._fd, memoryview(lines)[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, size)
            raise

    def _has_path(self, opened: os.stat_result) -> bool:
        try:
            return os.path.samestat(self._path.stat(), opened)
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        """Move the file away under its lock: whoever waits for the lock then finds the path gone, and reopens."""
        old = [self._path, *(Path(f"{self._path}.{number}") for number in range(1, self._rotate_keep + 1))]
        if self._rotate_keep == 0:
            self._path.unlink()
        for source, target in reversed(list(itertools.pairwise(old))):
            with contextlib.suppress(FileNotFoundError):
                source.replace(target)
        self._reopen()


def _pieces(lines: bytes, limit: int) -> Iterator[bytes]:
    """Cut after line ends into pieces of at most `limit` bytes; a longer line is a piece by itself."""
    start = 0
    while start < len(lines):
        end = lines.rfind(b"\n", start, start + limit) + 1 or lines.find(b"\n", start) + 1 or len(lines)
        yield lines[start:end]
        start = end


def _lock(descriptor: int) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system without locks: lines stay whole by O_APPEND alone
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _unlock(descriptor: int) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextlib.contextmanager
def _record_lock(descriptor: int) -> Iterator[None]:
    """Lock an inherited descriptor: a record lock is a process's own, where flock would be one for all who inherited."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a system that locks files only: pieces stay whole by their size
            fcntl.lockf(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                fcntl.lockf(descriptor, fcntl.LOCK_UN)
