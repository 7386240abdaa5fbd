"""Connections to the database, and the names of things in the directory."""

import contextlib
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sluicegate.stores.cache.disk.faults import Damaged, is_corrupt

DATABASE_NAME = "cache-1.db"
"""The number is the major version of what is in the directory: another one would use a file beside it."""
LOCK_NAME = "cache-1.lock"
BOARD_NAME = "cache-1.board"
_COMPANIONS = ("", "-wal", "-shm")
_BUSY_TIMEOUT_S = 2.0
_CACHE_KIB = 8 * 1024
_PAGE = 8192
"""Bytes in a page of a new database: fewer pages for small bodies than with SQLite's own 4096."""
LOG_BYTES = 4 * 1024 * 1024
"""A log larger than this is to be checkpointed, and cut to this size when it begins anew."""
_STATEMENTS = 64


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection for one thread at a time. Raises sqlite3.Error, Damaged, OSError.

    `synchronous=NORMAL` in WAL mode: a killed process loses nothing that was committed; a machine that loses power may
    lose the last moments, never the database.
    """
    # Made here for its mode, which SQLite's companions get too. A file that is there is never opened past SQLite: to
    # close it would drop the locks of this process's other connections, and then whoever closes the database in another
    # process would delete the log under us.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS
    )
    try:
        db.execute(f"PRAGMA page_size = {_PAGE}")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        if read_only:
            db.execute("PRAGMA query_only = ON")
    except BaseException as error:
        db.close()
        if is_corrupt(error):
            raise Damaged("it is damaged") from error
        raise
    return db


def set_aside(directory: Path, *, now: float) -> str:
    """Rename the database so that a new one can be made, and forget the one set aside before; its new name.

    Hold the directory's lock. `now` is Unix time in seconds. Raises OSError.
    """
    path = directory / DATABASE_NAME
    for old in directory.glob(f"{DATABASE_NAME}.corrupt-*"):
        old.unlink(missing_ok=True)
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"{path.name}.corrupt-{stamp}"
    for companion in _COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + companion).rename(path.with_name(name + companion))
    return name


def make_private(directory: Path) -> None:
    """Make a directory that only its owner may look into. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
