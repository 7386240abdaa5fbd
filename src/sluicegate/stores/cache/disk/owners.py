"""Who is alive on a directory: each store that is open keeps a lock file of its own locked, and nobody can fake that."""

import contextlib
import secrets
from pathlib import Path

from sluicegate.stores.cache.disk.database import make_private
from sluicegate.stores.cache.disk.lock import FileLock


class Owners:
    """This store's own mark of life, and a look at those of others."""

    def __init__(self, directory: Path) -> None:
        """Make the mark in `directory`. Hold the directory's lock. Raises OSError."""
        make_private(directory)
        self._directory = directory
        self.own = secrets.randbits(62)
        """What rows of this store are marked with."""
        self._lock = FileLock(self._path(self.own))
        self._lock.take()

    def is_dead(self, owner: int) -> bool:
        """Whether that owner is no more. Hold the directory's lock. Raises OSError."""
        path = self._path(owner)
        if not path.exists():
            return True
        lock = FileLock(path)
        try:
            return lock.take()
        finally:
            lock.close()

    def tidy(self) -> None:
        """Delete the marks of the dead. Hold the directory's lock. Raises OSError."""
        for path in self._directory.iterdir():
            with contextlib.suppress(ValueError):
                owner = int(path.name, 16)
                if owner != self.own and self.is_dead(owner):
                    path.unlink(missing_ok=True)

    def close(self) -> None:
        """Give up the mark. Idempotent."""
        with contextlib.suppress(OSError):
            self._path(self.own).unlink(missing_ok=True)
        self._lock.close()

    def _path(self, owner: int) -> Path:
        return self._directory / f"{owner:016x}"
