"""Locks between processes that the system gives back when their holder dies, however it dies.

`flock` belongs to the open file and not to the process: two stores of one process keep each other out as well, and
closing one file does not give up another's lock, as it would with `lockf`.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from sluicegate.stores.cache.disk.faults import Busy, Replaced

_PATIENCE_S = 5.0
_FIRST_PAUSE_S = 0.0002
_LONGEST_PAUSE_S = 0.01


class FileLock:
    """A lock file, open until `close`. Not for several threads at once."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it where there is none. Raises OSError."""
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def in_place(self) -> bool:
        """Whether the file at the path is still the one that is open: others lock that one."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def take(self) -> bool:
        """Take the lock if nobody has it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @contextlib.contextmanager
    def held(self, patience_s: float = _PATIENCE_S) -> Iterator[None]:
        """Hold the lock; waits, so it is for threads. Raises Busy after `patience_s`, Replaced, OSError."""
        deadline = time.monotonic() + patience_s
        pause = _FIRST_PAUSE_S
        while not self.take():
            if time.monotonic() > deadline:
                raise Busy(f"another process has held {self._path} for {patience_s:g} s")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        try:
            if not self.in_place:
                raise Replaced(f"{self._path} was removed or replaced")
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file, and with it give up the lock; idempotent."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
