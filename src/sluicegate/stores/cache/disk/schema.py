"""The tables, and how an older database becomes one of today: named migrations, all in one transaction.

`PRAGMA user_version` says how many migrations a database has seen, the table `migration` which and when. A database
that has seen more than this version knows is left alone.
"""

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sluicegate.stores.cache.disk.faults import Damaged, TooNew

APPLICATION_ID = 0x51C6A7E1
"""Marks the file as ours."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A step from one schema to the next."""

    name: str
    script: str
    """Statements, separated by semicolons."""


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        "the first tables",
        """
        CREATE TABLE entry (
            id INTEGER PRIMARY KEY, key BLOB NOT NULL, crc INTEGER NOT NULL, mark INTEGER NOT NULL,
            head BLOB NOT NULL, request_time REAL NOT NULL, response_time REAL NOT NULL,
            revision INTEGER NOT NULL, length INTEGER NOT NULL, filed INTEGER NOT NULL,
            size INTEGER NOT NULL, used INTEGER NOT NULL
        );
        CREATE INDEX entry_by_key ON entry (crc, mark);
        CREATE INDEX entry_by_use ON entry (used);
        CREATE TABLE body (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
        CREATE TABLE loose (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, bytes INTEGER NOT NULL);
        CREATE TABLE total (entries INTEGER NOT NULL, bytes INTEGER NOT NULL);
        INSERT INTO total VALUES (0, 0);
        CREATE TABLE identity (generation INTEGER NOT NULL, secret BLOB NOT NULL, next_block INTEGER NOT NULL)
        """,
    ),
    Migration("a digest of each body", "ALTER TABLE entry ADD COLUMN digest BLOB"),
)
"""`crc` is the key's CRC-32 (its place on the board), `mark` a keyed hash of it; `loose` has the files of no entry; what was
stored before there were digests has none."""


def migrate(db: sqlite3.Connection, *, now: float, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the database up to date, all or nothing. `now` is Unix time in seconds.

    Raises Damaged when it belongs to another program, TooNew, sqlite3.Error.
    """
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID and _has_tables(db):
        raise Damaged("it belongs to another program")
    if version > len(migrations):
        raise TooNew(f"it has schema version {version}, and this Sluicegate knows versions up to {len(migrations)}")
    if version == len(migrations):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("CREATE TABLE IF NOT EXISTS migration (name TEXT NOT NULL, at REAL NOT NULL)")
        for migration in migrations[version:]:
            for statement in migration.script.split(";"):
                db.execute(statement)
            db.execute("INSERT INTO migration VALUES (?, ?)", (migration.name, now))
        if version == 0:
            db.execute("INSERT INTO identity VALUES (?, ?, 1)", (secrets.randbits(22) | 1, secrets.token_bytes(16)))
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(migrations)}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _has_tables(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
