"""Changes of the directory, and one transaction in which a number of them are made.

A file becomes part of the cache, and stops being part of it, by rows alone. While it is written, and from the moment
its entry is removed until it is gone, a row in `loose` names it: whoever finds that the owner of such a row is dead
deletes both. So no crash leaves a file that nobody knows, and no entry whose file is not whole.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sluicegate.clock import Clock
from sluicegate.core.caching.digests import digest_of
from sluicegate.stores.cache.disk.board import Board
from sluicegate.stores.cache.disk.bodies import BodyFiles
from sluicegate.stores.cache.disk.eviction import STEP, Victims, delete, evict, low_mark
from sluicegate.stores.cache.disk.ids import Ids
from sluicegate.stores.cache.disk.owners import Owners
from sluicegate.stores.cache.shelves import Shelf

_ROW_OVERHEAD = 512
"""What an entry takes in the database beside its bytes: row headers, indexes, unused space (rounded up)."""
_FILE_BLOCK = 4096
_ROWS = 32
"""Rows in one statement at most."""
_VACUUM_PAGES = 512
_FREE_SHARE = 32
_COLUMNS = "id, key, crc, mark, head, request_time, response_time, revision, length, filed, size, used, digest"
_PLACES = f"({','.join('?' * 13)})"


@dataclass(slots=True)
class Put:
    """A new entry. Without `body` its file is complete and reserved under its id."""

    id: int
    key: bytes
    crc: int
    mark: int
    head: bytes
    request_time: float
    response_time: float
    revision: int
    length: int
    body: bytes | None
    used: int
    """When it was last used: Unix time in milliseconds."""
    shelf: Shelf | None = None
    """What in memory has this change already."""
    digest: bytes | None = None
    """Of a body in a file; that of `body` is made where it is written."""
    size: int = field(init=False)
    """Bytes that it takes of the bound."""

    def __post_init__(self) -> None:
        self.size = entry_size(len(self.key), len(self.head), self.length, filed=self.body is None)


@dataclass(slots=True)
class Freshen:
    """Another head for an entry."""

    id: int
    head: bytes
    request_time: float
    response_time: float
    revision: int
    shelf: Shelf | None = None


@dataclass(slots=True)
class Remove:
    """An entry that goes."""

    id: int
    shelf: Shelf | None = None


@dataclass(slots=True)
class Reserve:
    """Room for a file that is written: `bytes` in all. Made when there is room, refused when there never will be."""

    id: int
    bytes: int


@dataclass(slots=True)
class Abandon:
    """A file that was reserved and will not become an entry, or was an entry's and is deleted."""

    ids: list[int]


@dataclass(slots=True)
class Touch:
    """Entries that were used lately."""

    ids: list[int]


@dataclass(slots=True)
class Settle:
    """A slot that says that it is being changed: by now nobody is."""

    place: int


@dataclass(slots=True)
class Resize:
    """Another bound, in bytes; made when all is within it."""

    max_size: int


@dataclass(slots=True)
class Sweep:
    """Delete what dead processes left behind."""


type Change = Put | Freshen | Remove | Reserve | Abandon | Touch | Settle | Resize | Sweep

LESSENING = (Remove, Abandon, Sweep)
"""Changes that may succeed on a disk that is full."""


def entry_size(key: int, head: int, length: int, *, filed: bool) -> int:
    """What an entry takes of the bound, by the lengths of its parts in bytes."""
    body = -length // _FILE_BLOCK * -_FILE_BLOCK if filed else length + length // 40
    return key + head + body + _ROW_OVERHEAD


@dataclass(slots=True)
class Bound:
    """How much there may be."""

    max_size: int
    trimming: bool = False
    """Something did not fit, and eviction has not come down to the low mark yet."""


@dataclass(slots=True)
class Totals:
    """What there is: entries and their bytes, and bytes reserved for files that are written."""

    entries: int = 0
    bytes: int = 0
    reserved: int = 0


@dataclass(slots=True)
class Ground:
    """What a transaction stands on."""

    db: sqlite3.Connection
    board: Board
    files: BodyFiles
    owners: Owners
    ids: Ids
    bound: Bound
    clock: Clock
    uses: Callable[[], list[int]]
    """Which entries were used since this was asked last; eviction must know."""


class Transaction:
    """Makes changes between BEGIN and COMMIT. Hold the directory's lock. Raises sqlite3.Error and OSError."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._db = ground.db
        self._puts: list[tuple[int, Put]] = []
        self.totals = read_totals(ground.db)
        self.results: list[bool | None] = []
        """What became of each change; None: not yet, make it again in the next transaction."""
        self.doomed: list[int] = []
        """Entries that are no more and whose files are to be deleted after the COMMIT."""
        self.shelves: list[Shelf] = []
        """What in memory agrees with the changes that were made."""
        self._places: set[int] = set()
        self._doubtful: set[int] = set()
        """Places where nothing may be left."""
        self._foreign: set[int] = set()
        self._knows_uses = False

    def make(self, changes: Sequence[Change]) -> None:
        """Make changes in order, and evict."""
        vain = {change.id for change in changes if isinstance(change, Remove)}
        for change in changes:
            if isinstance(change, Put):
                if change.id in vain and change.body is not None:  # it comes and goes: nobody else need ever see it
                    self.results.append(False)
                    continue
                self._puts.append((len(self.results), change))
                self.results.append(True)
            else:
                self._insert()
                self.results.append(self._make(change))
        self._insert()
        self._trim()
        self._vacuum()
        self._db.execute("UPDATE total SET entries = ?, bytes = ?", (self.totals.entries, self.totals.bytes))
        if self._ground.ids.low:
            self._ground.ids.refill(self._db)

    def places(self) -> dict[int, bool]:
        """Where on the board something changed, and whether something is stored there now."""
        places = dict.fromkeys(self._places, True)
        for place in self._doubtful & self._places:
            places[place] = self._is_occupied(place)
        return places

    def agreeing(self) -> list[Shelf]:
        """Shelves in memory that have all that was changed in their slots."""
        foreign = self._foreign
        return [shelf for shelf in self.shelves if shelf.place not in foreign] if foreign else self.shelves

    def _make(self, change: Change) -> bool | None:
        match change:
            case Freshen():
                return self._freshen(change)
            case Remove():
                return self._remove(change)
            case Reserve():
                return self._reserve(change)
            case Abandon():
                return self._abandon(change.ids)
            case Touch():
                return self._touch(change)
            case Settle():
                self._places.add(change.place)
                self._doubtful.add(change.place)
                return True
            case Resize():
                self._ground.bound.max_size = change.max_size
                return self._make_room(0)
            case Sweep():
                return self._sweep()
            case Put():
                raise AssertionError("puts are gathered")

    def _insert(self) -> None:
        """Insert the entries gathered so far: many rows a statement, for each statement gives up Python's lock."""
        puts, self._puts = self._puts, []
        if not puts:
            return
        for at, put in puts:
            if put.body is None and not self._claim(put.id):
                self.results[at] = False
        fitting: list[Put] = []
        need = 0
        left = self._room_left()
        for at, put in puts:
            size = put.size
            if self.results[at] and (need + size <= left or self._make_room(need + size, at_once=True)):
                need += size
                fitting.append(put)
            else:
                self.results[at] = False
                self._forsake(put)
        self._changed_all(fitting)
        for start, count in _runs(len(fitting)):
            self._insert_rows(fitting[start : start + count])
        self.totals.entries += len(fitting)
        self.totals.bytes += need

    def _insert_rows(self, puts: list[Put]) -> None:
        values: list[object] = []
        bodies: list[object] = []
        for put in puts:
            filed = put.body is None
            values += (
                put.id, put.key, put.crc, put.mark, put.head, put.request_time, put.response_time,
                put.revision, put.length, filed, put.size, put.used,
                put.digest if put.body is None else digest_of(put.body),
            )  # fmt: skip
            if put.body:
                bodies += (put.id, put.body)
        self._db.execute(f"INSERT INTO entry ({_COLUMNS}) VALUES {','.join([_PLACES] * len(puts))}", values)  # noqa: S608 - placeholders only
        for start, count in _runs(len(bodies) // 2):
            marks = ",".join(["(?,?)"] * count)
            self._db.execute(f"INSERT INTO body VALUES {marks}", bodies[2 * start : 2 * (start + count)])  # noqa: S608 - placeholders only

    def _is_loose(self, entry_id: int) -> bool:
        return self._db.execute("SELECT 1 FROM loose WHERE id = ?", (entry_id,)).fetchone() is not None

    def _claim(self, entry_id: int) -> bool:
        """Give up the reservation of a file that becomes an entry; False where there is none."""
        row = self._db.execute("SELECT bytes FROM loose WHERE id = ?", (entry_id,)).fetchone()
        if row is None:
            return False
        self._db.execute("DELETE FROM loose WHERE id = ?", (entry_id,))
        self.totals.reserved -= row[0]
        return True

    def _forsake(self, put: Put) -> None:
        """A complete file for whose entry there is no room: its row stays until it is deleted."""
        if put.body is None:
            self.doomed.append(put.id)
            self._db.execute("INSERT INTO loose VALUES (?, ?, 0)", (put.id, self._ground.owners.own))

    def _freshen(self, change: Freshen) -> bool:
        row = self._db.execute(
            "SELECT crc, length(key), length, filed, size FROM entry WHERE id = ?", (change.id,)
        ).fetchone()
        if row is None:
            return False
        crc, key, length, filed, before = row
        size = entry_size(key, len(change.head), length, filed=bool(filed))
        self._db.execute(
            "UPDATE entry SET head = ?, request_time = ?, response_time = ?, revision = ?, size = ? WHERE id = ?",
            (change.head, change.request_time, change.response_time, change.revision, size, change.id),
        )
        self.totals.bytes += size - before
        self._changed(crc, change.shelf)
        return True

    def _remove(self, change: Remove) -> bool:
        row = self._db.execute("SELECT crc, filed, size FROM entry WHERE id = ?", (change.id,)).fetchone()
        if row is not None:
            crc, filed, size = row
            delete(self._db, [change.id])
            self._gone(Victims([change.id], [crc], [change.id] if filed else [], size))
            self._changed(crc, change.shelf)
        return True

    def _reserve(self, change: Reserve) -> bool | None:
        row = self._db.execute("SELECT bytes FROM loose WHERE id = ?", (change.id,)).fetchone()
        before = row[0] if row is not None else 0
        fits = self._make_room(change.bytes - before)
        if not fits:
            return fits
        values = (change.id, self._ground.owners.own, change.bytes)
        self._db.execute("INSERT OR REPLACE INTO loose VALUES (?, ?, ?)", values)
        self.totals.reserved += change.bytes - before
        return True

    def _abandon(self, ids: list[int]) -> bool:
        for entry_id in ids:
            # Without a row it has become an entry after all. A file that cannot be deleted keeps its row.
            with contextlib.suppress(OSError):
                if self._is_loose(entry_id):
                    self._ground.files.delete(entry_id)
                    self._claim(entry_id)
        return True

    def _touch(self, change: Touch) -> bool:
        used = int(self._ground.clock.wall() * 1000)
        for start in range(0, len(change.ids), STEP):
            ids = change.ids[start : start + STEP]
            marks = ",".join("?" * len(ids))
            self._db.execute(f"UPDATE entry SET used = ? WHERE id IN ({marks})", [used, *ids])  # noqa: S608 - placeholders only
        return True

    def _sweep(self) -> bool:
        owners = self._ground.owners
        for (owner,) in self._db.execute("SELECT DISTINCT owner FROM loose").fetchall():
            if owner != owners.own and owners.is_dead(owner):
                self._abandon([row[0] for row in self._db.execute("SELECT id FROM loose WHERE owner = ?", (owner,))])
        owners.tidy()
        return True

    def _room_left(self) -> int:
        return self._ground.bound.max_size - self.totals.bytes - self.totals.reserved

    def _make_room(self, need: int, *, at_once: bool = False) -> bool | None:
        """Evict until `need` bytes are free: True; False where that cannot be, None where it takes another step."""
        bound = self._ground.bound
        if need + self.totals.reserved > bound.max_size:
            return False
        while (missing := need - self._room_left()) > 0:
            bound.trimming = True
            if not self._evict(missing):
                return False
            if not at_once and need > self._room_left():
                return None
        return True

    def _trim(self) -> None:
        """A step towards the low mark, when eviction has begun."""
        bound = self._ground.bound
        if bound.trimming and len(self._foreign) <= STEP:
            excess = self.totals.bytes + self.totals.reserved - low_mark(bound.max_size)
            if excess <= 0 or not self._evict(excess):
                bound.trimming = False

    def _evict(self, need: int) -> bool:
        if not self._knows_uses:
            self._knows_uses = True
            self._touch(Touch(self._ground.uses()))
        victims = evict(self._db, need)
        self._gone(victims)
        for crc in victims.crcs:
            self._changed(crc, None)
        return bool(victims.ids)

    def _gone(self, victims: Victims) -> None:
        self.totals.entries -= len(victims.ids)
        self.totals.bytes -= victims.size
        self.doomed += victims.filed
        if victims.filed:
            values = [(entry_id, self._ground.owners.own) for entry_id in victims.filed]
            self._db.executemany("INSERT INTO loose VALUES (?, ?, 0)", values)
        self._doubtful.update(map(self._ground.board.place, victims.crcs))

    def _vacuum(self) -> None:
        """Give back a step of what the database no longer needs, so that the room is there for files."""
        if not self._foreign and not self._ground.bound.trimming:
            return
        free = self._db.execute("PRAGMA freelist_count").fetchone()[0]
        if free * self._db.execute("PRAGMA page_size").fetchone()[0] > self._ground.bound.max_size // _FREE_SHARE:
            self._db.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()

    def _changed(self, crc: int, shelf: Shelf | None) -> None:
        place = self._ground.board.place(crc)
        self._places.add(place)
        if shelf is None:
            self._foreign.add(place)
        else:
            self.shelves.append(shelf)

    def _changed_all(self, puts: list[Put]) -> None:
        place = self._ground.board.place
        places = [place(put.crc) for put in puts]
        self._places.update(places)
        self.shelves += [put.shelf for put in puts if put.shelf is not None]
        self._foreign.update([place for place, put in zip(places, puts, strict=True) if put.shelf is None])

    def _is_occupied(self, place: int) -> bool:
        between = self._ground.board.range_of(place)
        row = self._db.execute("SELECT 1 FROM entry WHERE crc BETWEEN ? AND ? LIMIT 1", between).fetchone()
        return row is not None


def read_totals(db: sqlite3.Connection) -> Totals:
    """The totals as the database has them. Raises sqlite3.Error."""
    entries, size, reserved = db.execute(
        "SELECT entries, bytes, (SELECT coalesce(sum(bytes), 0) FROM loose) FROM total"
    ).fetchone()
    return Totals(entries, size, reserved)


def _runs(count: int) -> list[tuple[int, int]]:
    """Cut a number of rows into runs of powers of two, so that there are few statements to keep prepared."""
    runs = []
    start = 0
    while start < count:
        rows = min(_ROWS, 1 << ((count - start).bit_length() - 1))
        runs.append((start, rows))
        start += rows
    return runs
