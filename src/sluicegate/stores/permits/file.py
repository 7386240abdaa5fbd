"""The file that permits are recorded in: shared by all processes of a machine, proof against `kill -9`.

SQLite in WAL mode. One row a host holds the number and time of its newest permit and the pace; one row a permit holds its
time under (host, number), so that the n-th newest is one look-up however long the log. A write is one transaction of a
few microseconds; `synchronous=OFF` means that a killed process loses nothing and a lost machine may lose what the system
had not yet written.

Times never decrease from one number to the next, and lie at most a lease (a reserved permit's) in the future.

Times are the clock's `now()`, which all processes of a boot share. After a reboot that clock starts again: times are
then moved by how far wall time says they are away. Wherever that is in doubt (a wall clock set back, times that would lie
in the future) permits count as more recent than they may be: slower, never faster.

Space for the database and for its log is taken when the file is opened, so that a disk that fills up later does not stop
the limiter.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from sluicegate.clock import Clock
from sluicegate.core.limits.window import LEASE_MAX_S
from sluicegate.errors import PermitStoreBusy, PermitStoreError

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE boot (id TEXT NOT NULL, wall_offset REAL NOT NULL);
CREATE TABLE host (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    newest INTEGER NOT NULL, last REAL NOT NULL, due REAL NOT NULL, keep REAL NOT NULL
);
CREATE TABLE permit (host INTEGER NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (host, number))
WITHOUT ROWID;
"""
_BUSY_TIMEOUT_MS = 2
_CHECKPOINT_PAGES = 100
_RESERVE_BYTES = 512 * 1024
_WALL_STEP_S = 0.1
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """What tells this boot from others; empty where the system has no such thing."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


class PermitFile:
    """An open permit file. Opened on first use, and again after a failure. Errors are mapped to PermitStoreError."""

    def __init__(self, path: Path, clock: Clock, *, boot: str | None = None) -> None:
        self.path = path
        self._clock = clock
        self._boot = boot_id() if boot is None else boot
        self._db: sqlite3.Connection | None = None
        self._wall_offset = 0.0

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for a look that changes nothing; each statement sees the file as it is then."""
        try:
            yield self._db or self.open()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection inside a transaction that keeps all other writers out; undone unless `COMMIT` was executed."""
        try:
            db = self._db or self.open()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def note_wall(self, db: sqlite3.Connection) -> None:
        """Inside a transaction: keep the latest wall time that this boot's times may stand for."""
        offset = self._clock.wall() - self._clock.now()
        if offset > self._wall_offset + _WALL_STEP_S:
            db.execute("UPDATE boot SET wall_offset = max(wall_offset, ?)", (offset,))
            self._wall_offset = offset

    def open(self, *, patience_s: float = 0.0) -> sqlite3.Connection:
        """Open the file now, making it where there is none, and blocking at most `patience_s` for other processes.

        Raises PermitStoreError.
        """
        self.close()
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            db = sqlite3.connect(self.path, timeout=patience_s, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._failed(error) from error
        try:
            self._prepare(db, patience_s)
        except BaseException as error:
            db.close()
            if isinstance(error, sqlite3.Error):
                raise self._failed(error) from error
            raise
        self._db = db
        return db

    def close(self) -> None:
        """Close the file; idempotent."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _prepare(self, db: sqlite3.Connection, patience_s: float) -> None:
        _to_wal(db, patience_s)
        db.execute("PRAGMA synchronous = OFF")
        db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        db.execute("BEGIN IMMEDIATE")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        elif version != SCHEMA_VERSION:
            raise PermitStoreError(
                f"the limiter's state file {self.path} has schema version {version}, this Sluicegate knows {SCHEMA_VERSION}",
                advice="Use the version of Sluicegate that wrote it, or move the file away once its windows have passed.",
            )
        self._enter_boot(db)
        db.execute("COMMIT")
        self._reserve(db)
        db.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")

    def _reserve(self, db: sqlite3.Connection) -> None:
        """Take space on the disk: pages written and then freed. Done already when others have the file open."""
        wal = self.path.with_name(f"{self.path.name}-wal")
        if wal.stat().st_size >= _RESERVE_BYTES:
            return
        db.execute("BEGIN IMMEDIATE")
        db.execute("CREATE TABLE IF NOT EXISTS reserve (fill BLOB)")
        db.execute("INSERT INTO reserve VALUES (zeroblob(?))", (_RESERVE_BYTES,))
        db.execute("COMMIT")
        db.execute("DROP TABLE IF EXISTS reserve")

    def _enter_boot(self, db: sqlite3.Connection) -> None:
        now = self._clock.now()
        offset = self._clock.wall() - now
        row = db.execute("SELECT id, wall_offset FROM boot").fetchone()
        if row is None:
            db.execute("INSERT INTO boot VALUES (?, ?)", (self._boot, offset))
        elif row[0] != self._boot:
            _move_times(db, row[1] - offset, now)
            db.execute("UPDATE boot SET id = ?, wall_offset = ?", (self._boot, offset))
        else:
            _move_times(db, 0.0, now)
            offset = max(offset, row[1])
            db.execute("UPDATE boot SET wall_offset = ?", (offset,))
        self._wall_offset = offset

    def _failed(self, error: Exception) -> PermitStoreError:
        if isinstance(error, sqlite3.Error) and _is_busy(error):
            return PermitStoreBusy(f"another process holds the limiter's state file {self.path}")
        self.close()
        return PermitStoreError(
            f"the limiter's state file {self.path} cannot be used: {error}",
            advice="Make the directory writable and the disk not full. A damaged file can be moved away: "
            "a new one is made, which knows nothing of the requests sent before.",
        )


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _to_wal(db: sqlite3.Connection, patience_s: float) -> None:
    """Switch to WAL; several processes that open a new file at once get in each other's way, whatever the timeout."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


def _move_times(db: sqlite3.Connection, shift_s: float, now: float) -> None:
    """Move all times by `shift_s`, but none further into the future than a lease; `due` stays as far ahead of `last`."""
    latest = now + LEASE_MAX_S
    db.execute("UPDATE permit SET at = min(at + ?1, ?2) WHERE ?1 <> 0 OR at > ?2", (shift_s, latest))
    db.execute(
        "UPDATE host SET due = min(last + ?1, ?2) + (due - last), last = min(last + ?1, ?2) WHERE ?1 <> 0 OR last > ?2",
        (shift_s, latest),
    )
