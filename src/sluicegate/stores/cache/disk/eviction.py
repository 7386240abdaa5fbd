"""What goes when there is too much: the least recently used first, a bounded number at a time.

Eviction begins when something does not fit, and then goes on in small steps between other work until a little room is
left, so that not every entry has to wait for the room that it needs.
"""

import sqlite3
from dataclasses import dataclass

STEP = 256
"""Entries in one go."""
_DOWN_TO = 0.97


@dataclass(slots=True)
class Victims:
    """Entries that were taken out of the database, but for the counts in `total`."""

    ids: list[int]
    crcs: list[int]
    filed: list[int]
    size: int


def low_mark(max_size: int) -> int:
    """Down to how many bytes eviction goes once it has begun."""
    return int(max_size * _DOWN_TO)


def evict(db: sqlite3.Connection, need: int, *, at_most: int = STEP) -> Victims:
    """Take out the least recently used entries until `need` bytes are free, but no more than `at_most` entries.

    Inside a transaction. Raises sqlite3.Error.
    """
    victims = Victims([], [], [], 0)
    # A step takes about as many as it needs, so few rows are read in vain.
    for entry_id, crc, filed, size in db.execute(
        "SELECT id, crc, filed, size FROM entry ORDER BY used, id LIMIT ?", (at_most,)
    ):
        if victims.size >= need:
            break
        victims.ids.append(entry_id)
        victims.crcs.append(crc)
        victims.size += size
        if filed:
            victims.filed.append(entry_id)
    delete(db, victims.ids)
    return victims


def delete(db: sqlite3.Connection, ids: list[int]) -> None:
    """Delete rows of entries with their bodies; at most STEP of them. Raises sqlite3.Error."""
    if not ids:
        return
    # A power of two of places, the rest filled up with an id that nobody has: few statements to keep prepared.
    places = 1 << (len(ids) - 1).bit_length()
    marks = ",".join("?" * places)
    padded = ids + [0] * (places - len(ids))
    db.execute(f"DELETE FROM body WHERE id IN ({marks})", padded)  # noqa: S608 - placeholders only
    db.execute(f"DELETE FROM entry WHERE id IN ({marks})", padded)  # noqa: S608 - placeholders only
