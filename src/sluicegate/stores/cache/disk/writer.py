"""Writing the database: one thread, which makes many changes in one transaction, in the order they were posted.

It holds the directory's lock while it does so, and tells the board before and after each COMMIT. Requests wait for it
only where the store promises that something is done (a removal), or where too much is waiting.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from sluicegate.stores.cache.disk.board import Board
from sluicegate.stores.cache.disk.changes import (
    LESSENING,
    Abandon,
    Change,
    Freshen,
    Ground,
    Put,
    Totals,
    Transaction,
)
from sluicegate.stores.cache.disk.faults import Replaced
from sluicegate.stores.cache.disk.lock import FileLock
from sluicegate.stores.cache.shelves import NEVER, Shelf

MAX_WAITING = 16 * 1024 * 1024
"""Bytes that may wait to be written."""
_AT_ONCE = 512
_BYTES_AT_ONCE = 4 * 1024 * 1024
_CHANGE_OVERHEAD = 1024
_CHECKPOINT_BYTES = 4 * 1024 * 1024

type OnDone = Callable[[bool], None]
type OnFault = Callable[[Exception], None]


@dataclass(slots=True)
class _Posted:
    change: Change
    done: OnDone | None = None
    weight: int = 0
    """Bytes it takes while it waits; what the thread makes of itself takes none."""


class Writer:
    """The thread, and the queue before it. `on_fault` is told on the event loop of each transaction that failed."""

    def __init__(
        self,
        ground: Ground,
        lock: FileLock,
        path: Path,
        totals: Totals,
        *,
        loop: asyncio.AbstractEventLoop,
        on_fault: OnFault,
    ) -> None:
        self.totals = totals
        """What the database had after the last transaction."""
        self.entries_waiting = 0
        """Entries that are to be put in."""
        self.bytes_waiting = 0
        """Bytes that they will take."""
        self._waiting = 0
        self._ground = ground
        self._lock = lock
        self._path = path
        self._inode = path.stat().st_ino
        self._loop = loop
        self._on_fault = on_fault
        self._queue: SimpleQueue[_Posted | None] = SimpleQueue()
        self._again: list[_Posted] = []
        self._owed: list[_Posted] = []
        self._unchecked = 0
        self._after = totals
        self._progress: asyncio.Event = asyncio.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="cache-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Bytes that wait to be written."""
        return self._waiting

    @property
    def owes(self) -> bool:
        """Whether there is something to remove that could not be removed yet."""
        return bool(self._owed)

    def post(self, change: Change, done: OnDone | None = None) -> None:
        """Have a change made after those posted before; `done` is told whether it could be."""
        if self._ended:
            if done is not None:
                done(False)
            return
        posted = _Posted(change, done, _weight(change))
        self._waiting += posted.weight
        if isinstance(change, Put):
            self.entries_waiting += 1
            self.bytes_waiting += change.size
        self._queue.put(posted)

    async def make(self, change: Change) -> bool:
        """Post a change and wait for it."""
        future: asyncio.Future[bool] = self._loop.create_future()
        self.post(change, lambda made: None if future.done() else future.set_result(made))
        return await future

    async def room(self) -> None:
        """Wait until no more than the bound is waiting."""
        while self._waiting > MAX_WAITING:
            await self._progress.wait()

    async def aclose(self) -> None:
        """Make what was posted, and end. Idempotent."""
        if not self._ended:
            self._ended = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # what the thread has reported last is told now

    def _run(self) -> None:
        ending = False
        while not ending or self._again:
            batch, ended = self._gather(block=not ending)
            ending = ending or ended
            if batch:
                self._commit(batch)
            self._checkpoint()

    def _gather(self, *, block: bool) -> tuple[list[_Posted], bool]:
        """What is to be made next, and whether that is the last."""
        batch, self._again = self._again, []
        size = 0
        trimming = self._ground.bound.trimming
        with contextlib.suppress(Empty):
            while len(batch) < _AT_ONCE and size < _BYTES_AT_ONCE:
                wait = block and not batch and not trimming
                posted = self._queue.get() if wait else self._queue.get_nowait()
                if posted is None:
                    return batch, True
                batch.append(posted)
                size += posted.weight
        if not batch and trimming:
            batch.append(_Posted(Abandon([])))
        return batch, False

    def _commit(self, batch: list[_Posted]) -> None:
        batch = [*self._owed, *batch]
        self._owed = []
        try:
            results = self._transact([posted.change for posted in batch])
            self._unchecked += sum(posted.weight for posted in batch)
        except Exception as error:
            self._ground.bound.trimming = False
            self._tell(self._on_fault, error)
            results = self._lessen(batch)
        finished: list[tuple[_Posted, bool]] = []
        for posted, result in zip(batch, results, strict=True):
            if result is None:
                self._again.append(posted)
            else:
                finished.append((posted, result))
        self._tell(self._finish, (finished, self._after))

    def _lessen(self, batch: list[_Posted]) -> list[bool | None]:
        """Where not all can be done, what makes less may: a full disk must not keep what was invalidated."""
        results: list[bool | None] = [False] * len(batch)
        lessening = [at for at, posted in enumerate(batch) if isinstance(posted.change, LESSENING)]
        if not lessening:
            return results
        try:
            made = self._transact([batch[at].change for at in lessening])
        except Exception:
            # Their callers are told now; the changes themselves are tried again with whatever comes next.
            self._owed = [_Posted(batch[at].change) for at in lessening]
            return results
        for at, result in zip(lessening, made, strict=True):
            results[at] = result
        return results

    def _transact(self, changes: Sequence[Change]) -> list[bool | None]:
        """Make changes in one transaction. Raises sqlite3.Error, OSError, Fault; nothing is changed then."""
        db = self._ground.db
        with self._lock.held():
            if not self._ground.board.in_place or not self._is_in_place():
                raise Replaced("the cache's files were removed or replaced")
            db.execute("BEGIN IMMEDIATE")
            try:
                transaction = Transaction(self._ground)
                transaction.make(changes)
                with _Announced(self._ground.board, transaction):
                    db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        if transaction.doomed:
            self._delete_files(transaction.doomed)
            self._again.append(_Posted(Abandon(transaction.doomed)))
        self._after = transaction.totals
        return transaction.results

    def _delete_files(self, ids: list[int]) -> None:
        """Delete files now, so that who removed an entry finds no body; their rows go with the next transaction."""
        for entry_id in ids:
            with contextlib.suppress(OSError):
                self._ground.files.delete(entry_id)

    def _is_in_place(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _checkpoint(self) -> None:
        """Move what is in the log to the database now and then; outside the lock, and nobody waits for it."""
        if self._unchecked > _CHECKPOINT_BYTES:
            self._unchecked = 0
            try:
                self._ground.db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error as error:
                self._tell(self._on_fault, error)

    def _tell[T](self, callback: Callable[[T], None], value: T) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(callback, value)

    def _finish(self, report: tuple[list[tuple[_Posted, bool]], Totals]) -> None:
        finished, self.totals = report
        for posted, result in finished:
            self._waiting -= posted.weight
            if isinstance(posted.change, Put):
                self.entries_waiting -= 1
                self.bytes_waiting -= posted.change.size
            if posted.done is not None:
                posted.done(result)
        self._progress.set()
        self._progress = asyncio.Event()


class _Announced:
    """Around a COMMIT: the board says first that the slots are being changed, and afterwards that they were.

    Shelves in memory that have the changes already, and were current, stay so all the time.
    """

    def __init__(self, board: Board, transaction: Transaction) -> None:
        self._board = board
        self._shelves = transaction.agreeing()
        self._places = transaction.places()
        self._flux: dict[int, int] = {}
        self._current: list[Shelf] = []

    def __enter__(self) -> None:
        slots = self._board.slots
        self._flux = {place: self._board.in_flux(place) for place in self._places}
        self._current = [shelf for shelf in self._shelves if shelf.stamp == slots[shelf.place]]
        for shelf in self._current:
            shelf.own = self._flux[shelf.place]
        for place, value in self._flux.items():
            slots[place] = value

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        slots = self._board.slots
        after = {
            place: self._board.settled(self._flux[place], occupied=occupied or kind is not None)
            for place, occupied in self._places.items()
        }
        for shelf in self._current:
            shelf.stamp = after[shelf.place]
        for place, value in after.items():
            slots[place] = value
        for shelf in self._current:
            shelf.own = NEVER


def _weight(change: Change) -> int:
    """Bytes that a change takes while it waits."""
    match change:
        case Put(body=bytes() as body):
            return len(body) + len(change.head) + _CHANGE_OVERHEAD
        case Freshen() | Put():
            return len(change.head) + _CHANGE_OVERHEAD
        case _:
            return _CHANGE_OVERHEAD
