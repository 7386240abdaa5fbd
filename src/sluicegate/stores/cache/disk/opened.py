"""A directory that is open: everything that belongs together, and how it is opened, filled and closed."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from sluicegate.clock import Clock
from sluicegate.stores.cache.disk.board import Board, open_board
from sluicegate.stores.cache.disk.bodies import BodyFiles
from sluicegate.stores.cache.disk.changes import Bound, Ground, Remove, Sweep, Totals, read_totals
from sluicegate.stores.cache.disk.database import (
    BOARD_NAME,
    DATABASE_NAME,
    LOCK_NAME,
    connect,
    make_private,
    set_aside,
)
from sluicegate.stores.cache.disk.faults import Damaged, Fault, is_corrupt
from sluicegate.stores.cache.disk.ids import Ids
from sluicegate.stores.cache.disk.lock import FileLock
from sluicegate.stores.cache.disk.lookups import Lookups
from sluicegate.stores.cache.disk.owners import Owners
from sluicegate.stores.cache.disk.schema import migrate
from sluicegate.stores.cache.disk.writer import OnFault, Writer
from sluicegate.stores.cache.front import Front

_FILLED_AT_ONCE = 20_000


@dataclass(slots=True)
class Wanted:
    """What to open, and how."""

    directory: Path
    clock: Clock
    boot: str
    max_size: int
    front_bytes: int
    front_body: int
    damaged: int | None = None
    """The inode of a database that proved to be damaged: it is set aside, if it is still in its place."""


class Disk:
    """An open directory."""

    def __init__(self, wanted: Wanted, loop: asyncio.AbstractEventLoop, on_fault: OnFault) -> None:
        """Open it, in a thread. Raises OSError, sqlite3.Error, Fault."""
        self.aside: list[tuple[str, str]] = []
        """What was set aside, and why."""
        self.path = wanted.directory / DATABASE_NAME
        self._directory = wanted.directory
        with contextlib.ExitStack() as undo:
            make_private(wanted.directory)
            self._lock = FileLock(wanted.directory / LOCK_NAME)
            undo.callback(self._lock.close)
            with self._lock.held():
                db = self._connect(wanted)
                undo.callback(db.close)
                self._open(db, wanted, undo)
            self.lookups = Lookups(self.path, loop)
            undo.pop_all()
        self.writer = Writer(self._ground, self._lock, self.path, self._totals, loop=loop, on_fault=on_fault)
        self.writer.post(Sweep())
        self._stop = threading.Event()
        self._filler = threading.Thread(target=self._fill, name="cache-filler", daemon=True)
        self._filler.start()

    @property
    def ids(self) -> Ids:
        """Numbers for new entries."""
        return self._ground.ids

    @property
    def max_size(self) -> int:
        """The bound on all there is, in bytes."""
        return self._ground.bound.max_size

    @property
    def files(self) -> BodyFiles:
        """The files of larger bodies."""
        return self._ground.files

    def mark(self, key: bytes) -> int:
        """The keyed hash that the key is found by: nobody outside can choose keys that have the same."""
        marker = self._marker.copy()
        marker.update(key)
        return int.from_bytes(marker.digest(), "little", signed=True)

    def post_removal(self, entry_id: int, done: Callable[[bool], None]) -> None:
        """Show an entry no more, and have it removed; `done` is told whether it was."""
        name = str(entry_id)
        shelf = self.front.remove(name)

        def removed(made: bool) -> None:
            self.front.removed(name, shelf, done=made)
            done(made)

        self.writer.post(Remove(entry_id, shelf), removed)

    def look(self, db: sqlite3.Connection) -> tuple[Totals, bool]:
        """The totals, and whether database and board are still in their places. Raises sqlite3.Error, OSError."""
        in_place = self.board.in_place and self._lock.in_place
        with contextlib.suppress(FileNotFoundError):
            return read_totals(db), in_place and self.path.stat().st_ino == self.inode
        return Totals(), False

    async def aclose(self) -> None:
        """Finish what was begun and close everything. Never raises."""
        self._stop.set()
        await self.writer.aclose()
        await self.lookups.aclose()
        await asyncio.to_thread(self._filler.join)
        with contextlib.suppress(sqlite3.Error):
            await asyncio.to_thread(self._ground.db.close)
        self._ground.owners.close()
        self._lock.close()
        self.board.close()

    def _connect(self, wanted: Wanted) -> sqlite3.Connection:
        if wanted.damaged is not None and self.path.exists() and self.path.stat().st_ino == wanted.damaged:
            self._set_aside(wanted, "it is damaged")
        try:
            return _connect_to_current(self.path, wanted.clock.wall())
        except Damaged as error:
            self._set_aside(wanted, str(error))
        return _connect_to_current(self.path, wanted.clock.wall())

    def _set_aside(self, wanted: Wanted, why: str) -> None:
        self.aside.append((set_aside(wanted.directory, now=wanted.clock.wall()), why))

    def _open(self, db: sqlite3.Connection, wanted: Wanted, undo: contextlib.ExitStack) -> None:
        self.inode = self.path.stat().st_ino
        owners = Owners(wanted.directory / "owners")
        undo.callback(owners.close)
        db.execute("BEGIN IMMEDIATE")
        identity = db.execute("SELECT generation, secret FROM identity").fetchone()
        if identity is None:
            raise Damaged("it is damaged")
        generation, secret = identity
        self._marker = blake2b(digest_size=8, key=secret)
        ids = Ids(generation)
        ids.refill(db)
        ids.refill(db)
        self._totals = read_totals(db)
        db.execute("COMMIT")
        board, self._is_new = open_board(
            wanted.directory / BOARD_NAME, boot=wanted.boot, generation=generation, max_size=wanted.max_size
        )
        undo.callback(board.close)
        if self._totals.entries == 0:
            board.set_filled()
        self.board: Board = board
        files = BodyFiles(wanted.directory, generation)
        self.front = Front(board, max_bytes=wanted.front_bytes, max_body=wanted.front_body)
        bound = Bound(wanted.max_size, trimming=self._totals.bytes > wanted.max_size)
        self._ground = Ground(db, board, files, owners, ids, bound, wanted.clock, self.front.uses)

    def _fill(self) -> None:
        """What takes time after opening: fill a new board, delete files that nobody knows. A thread of its own."""
        with contextlib.suppress(sqlite3.Error, OSError, Fault), contextlib.closing(connect(self.path)) as db:
            if not self.board.filled:
                self._fill_board(db)
            self.files.delete_strangers()
            if self._is_new:  # the first since the machine started, perhaps after it lost power
                self._delete_orphans(db)

    def _fill_board(self, db: sqlite3.Connection) -> None:
        lock = FileLock(self._directory / LOCK_NAME)
        last = -1
        with contextlib.closing(lock):
            while not self._stop.is_set():
                with lock.held():
                    rows = db.execute(
                        "SELECT crc FROM entry WHERE crc > ? ORDER BY crc LIMIT ?", (last, _FILLED_AT_ONCE)
                    ).fetchall()
                    self.board.fill([row[0] for row in rows])
                    if len(rows) < _FILLED_AT_ONCE:
                        self.board.set_filled()
                        return
                    last = rows[-1][0]

    def _delete_orphans(self, db: sqlite3.Connection) -> None:
        for entry_id in self.files.ids():
            if self._stop.is_set():
                return
            known = "SELECT 1 FROM entry WHERE id = ?1 UNION ALL SELECT 1 FROM loose WHERE id = ?1"
            if db.execute(known, (entry_id,)).fetchone() is None:
                self.files.delete(entry_id)


def open_disk(wanted: Wanted, loop: asyncio.AbstractEventLoop, on_fault: OnFault) -> Disk:
    """Open a directory; a database that proves to be damaged meanwhile is set aside.

    For a thread. Raises OSError, sqlite3.Error, Fault.
    """
    try:
        return Disk(wanted, loop, on_fault)
    except (sqlite3.Error, Damaged) as error:
        if not is_corrupt(error):
            raise
        wanted.damaged = (wanted.directory / DATABASE_NAME).stat().st_ino
    return Disk(wanted, loop, on_fault)


def _connect_to_current(path: Path, now: float) -> sqlite3.Connection:
    """A connection to a database with today's tables. Raises sqlite3.Error, OSError, Fault."""
    db = connect(path)
    try:
        migrate(db, now=now)
    except BaseException as error:
        db.close()
        if is_corrupt(error) and not isinstance(error, Damaged):
            raise Damaged("it is damaged") from error
        raise
    return db
