"""What an interrupted run has done, so that the same command goes on where it stopped.

One URL a line, written as soon as it is done. A run that comes to its end leaves nothing behind.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from sluicegate.errors import StartError

KEPT_S = 24 * 3600.0
"""An interrupted run that is older is forgotten: what it fetched may have grown stale."""


class Journal:
    """The file of one command line. Use as a context; `done` is what the run before has done."""

    def __init__(self, directory: Path, identity: Iterable[str], *, now: float, restart: bool = False) -> None:
        """`identity` tells one command line from others; `now` is Unix time. Raises StartError."""
        name = hashlib.sha256("\0".join(identity).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._path = directory / f"{name}.journal"
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(f"The journal {self._path} cannot be written: {error.strerror}.") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise StartError("The same command is running already.", advice="Wait for it, or stop it.") from None
        if restart or now - os.fstat(self._fd).st_mtime > KEPT_S:
            os.ftruncate(self._fd, 0)
        self.done = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if not os.fstat(self._fd).st_size:
            self.finish()
        os.close(self._fd)

    def note(self, url: str) -> None:
        """It need not be tried again by whoever goes on."""
        os.write(self._fd, url.encode() + b"\n")

    def finish(self) -> None:
        """The run has come to its end."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> frozenset[str]:
        """The whole lines; what comes after the last of them was cut off by a crash."""
        os.lseek(self._fd, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self._fd), "rb") as file:
            lines, _, torn = file.read().rpartition(b"\n")
        if torn:
            os.ftruncate(self._fd, len(lines) + 1 if lines else 0)
        return frozenset(lines.decode("utf-8", "replace").split("\n")) - {""}
