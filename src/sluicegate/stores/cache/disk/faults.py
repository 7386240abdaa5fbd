"""What can be wrong with the directory, sorted by what has to be done about it."""

import sqlite3

_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Fault(Exception):
    """The directory cannot be used as it is. `str(fault)` says why, for people."""


class Busy(Fault):
    """Another process keeps it locked for longer than is normal; to be tried again."""


class Replaced(Fault):
    """Files were removed or replaced under us: open what is there now."""


class Damaged(Fault):
    """The database is no database of ours: to be set aside."""


class TooNew(Fault):
    """A newer Sluicegate has written the database: to be left alone."""


def is_corrupt(error: BaseException) -> bool:
    """Whether the database file itself is at fault."""
    if isinstance(error, Damaged):
        return True
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT


def is_replaced(error: BaseException) -> bool:
    """Whether other files stand where ours were."""
    if isinstance(error, Replaced):
        return True
    # SQLite's own word for a database that was moved or removed while it was open.
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_DBMOVED
