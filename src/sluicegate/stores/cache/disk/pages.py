"""Reading through all entries, a page at a time, so that whoever looks something up never waits for long."""

import sqlite3
from dataclasses import dataclass, field

from sluicegate.core.caching.listing import Listed
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.codec import load_entry

ROWS = 256
"""Entries that are looked at in one page, whether they are wanted or not."""
_COLUMNS = "id, key, head, request_time, response_time, length, size, used, digest"
_UNDER_KEY = f"SELECT {_COLUMNS} FROM entry WHERE crc = ? AND mark = ? AND key = ? ORDER BY id"  # noqa: S608 - constants only
_LAST_ID = "SELECT max(id) FROM (SELECT id FROM entry WHERE id > ? ORDER BY id LIMIT ?)"
_PAGE = (
    f"SELECT {_COLUMNS} FROM entry "  # noqa: S608 - constants only
    "WHERE id > ? AND id <= ? AND substr(key, 1, ?) = ? ORDER BY id"
)

type _Row = tuple[int, bytes, bytes, float, float, int, int, int, bytes | None]


@dataclass(slots=True)
class Page:
    """What one look has brought."""

    last: int | None
    """Where the next page goes on; None: there is none."""
    listed: list[Listed] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    """The ids of entries that cannot be read."""


def page_after(db: sqlite3.Connection, last: int, prefix: bytes) -> Page:
    """The entries after an id, in the order of their ids, whose key begins with `prefix`. Raises sqlite3.Error."""
    until = db.execute(_LAST_ID, (last, ROWS)).fetchone()[0]
    if until is None:
        return Page(None)
    return _page(until, db.execute(_PAGE, (last, until, len(prefix), prefix)).fetchall())


def page_under(db: sqlite3.Connection, key: bytes, crc: int, mark: int) -> Page:
    """All entries under a key. Raises sqlite3.Error."""
    return _page(None, db.execute(_UNDER_KEY, (crc, mark, key)).fetchall())


def _page(last: int | None, rows: list[_Row]) -> Page:
    page = Page(last)
    for row in rows:
        try:
            page.listed.append(_listed(row))
        except CacheStoreError:
            page.damaged.append(row[0])
    return page


def _listed(row: _Row) -> Listed:
    entry_id, key, head, request_time, response_time, length, size, used, digest = row
    entry = load_entry(
        head, entry_id=str(entry_id), request_time=request_time, response_time=response_time, body_length=length
    )
    return Listed(key.decode("utf-8", "surrogatepass"), entry, size, used / 1000, digest)
