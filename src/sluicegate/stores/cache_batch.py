"""Many small changes to hishel's database in one transaction: one trip to the thread, one commit.

The rows are those that hishel itself would have written, in the tables that it made.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from hishel import Headers, Request, Response
from hishel._core._storages._packing import pack

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.stores.cache_codec import dump_entry

HEAD_FIELD = "sluicegate-entry"
"""The one header field that hishel stores for us: the whole head, order and spelling kept."""

_GRACE_S = 180.0
"""For how long after its last use an entry is kept in any case, so that slow readers can finish; as hishel has it."""
_EVICTED_AT_ONCE = 50
_EVICTIONS = 20

_INSERT = "INSERT INTO entries (id, cache_key, data, last_accessed_at, chunk_count) VALUES (?, ?, ?, ?, ?)"
_INSERT_BODY = "INSERT INTO streams (entry_id, chunk_number, chunk_data) VALUES (?, 0, ?)"
_FRESHEN = "UPDATE entries SET data = ? WHERE id = ?"
_HIDE = "UPDATE entries SET expires_at = 0 WHERE id = ?"
_DROP_HIDDEN = "DELETE FROM entries WHERE expires_at < ? AND last_accessed_at < ?"
_EVICT = """
DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE last_accessed_at < ? ORDER BY last_accessed_at LIMIT ?)
"""
_USED = """
SELECT (page_count - freelist_count) * page_size FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()
"""


@dataclass(frozen=True, slots=True)
class Put:
    """Store a complete entry, which has its id."""

    key: str
    entry: StoredEntry
    body: bytes


@dataclass(frozen=True, slots=True)
class Freshen:
    """Replace the stored head of the entry of that id, if it is there."""

    key: str
    entry: StoredEntry


@dataclass(frozen=True, slots=True)
class Remove:
    """Let no lookup find the entry any more."""

    entry_id: str


type Change = Put | Freshen | Remove


@dataclass(frozen=True, slots=True)
class Written:
    """A change is in the database; `head` is what is stored of the head now."""

    head: bytes = b""


def apply(
    connection: sqlite3.Connection, changes: Sequence[Change], *, now: float, max_size: int
) -> list[Written | None]:
    """Make all changes, in order, in one transaction; None for an entry that there is no room for.

    `now` in Unix seconds, `max_size` of the database in bytes. Raises sqlite3.Error; then nothing was changed.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        room = _room(connection, now, max_size) if any(isinstance(change, Put) for change in changes) else 0
        written: list[Written | None] = []
        for change in changes:
            if isinstance(change, Put):
                room -= len(change.body)
            written.append(None if isinstance(change, Put) and room < 0 else _change(connection, change, now))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return written


def request_of(key: str, entry: StoredEntry) -> Request:
    """The request as hishel stores it."""
    return Request(entry.request.method, key)


def headers_of(entry: StoredEntry) -> Headers:
    """The header section as hishel stores it."""
    return Headers({HEAD_FIELD: dump_entry(entry)})


def _change(connection: sqlite3.Connection, change: Change, now: float) -> Written:
    if isinstance(change, Remove):
        connection.execute(_HIDE, (bytes.fromhex(change.entry_id),))
        return Written()
    entry_id = bytes.fromhex(change.entry.id)
    head = _head(change.key, change.entry)
    if isinstance(change, Freshen):
        connection.execute(_FRESHEN, (head, entry_id))
        return Written(head)
    connection.execute(_INSERT, (entry_id, change.key.encode(), head, now, 1 if change.body else 0))
    if change.body:
        connection.execute(_INSERT_BODY, (entry_id, change.body))
    return Written(head)


def _head(key: str, entry: StoredEntry) -> bytes:
    return pack(request_of(key, entry), Response(entry.response.status, headers_of(entry)))


def _room(connection: sqlite3.Connection, now: float, max_size: int) -> int:
    """The bytes that may be added, after dropping what was removed and, if need be, what was used least recently."""
    unused_since = now - _GRACE_S
    connection.execute(_DROP_HIDDEN, (now, unused_since))
    room = max_size - _used(connection)
    for _ in range(_EVICTIONS):
        if room > 0 or not connection.execute(_EVICT, (unused_since, _EVICTED_AT_ONCE)).rowcount:
            break
        room = max_size - _used(connection)
    return room


def _used(connection: sqlite3.Connection) -> int:
    used: int = connection.execute(_USED).fetchone()[0]
    return used
