"""Writing the database: one thread, which makes many changes in one transaction, in the order they were posted.

It holds the directory's lock while it does so, and tells the board before and after each COMMIT. Requests wait for it
only where the store promises that something is done (a removal), or where too much is waiting. What nobody waits for is
left to gather for a moment: a transaction costs as much as several entries in it.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue

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
from sluicegate.stores.cache.disk.database import LOG_BYTES
from sluicegate.stores.cache.disk.faults import Replaced
from sluicegate.stores.cache.disk.lock import FileLock
from sluicegate.stores.cache.shelves import NEVER, Shelf

MAX_WAITING = 16 * 1024 * 1024
"""Bytes that may wait to be written."""
GATHER_S = 0.05
"""How long a change may wait for others, in seconds, while they keep coming."""
_ENOUGH = 1024 * 1024
"""So many bytes need not wait for others."""
_AT_ONCE = 512
_BYTES_AT_ONCE = 4 * 1024 * 1024
_CHANGE_OVERHEAD = 1024

type OnDone = Callable[[bool], None]
type OnFault = Callable[[Exception], None]

type _Posted = tuple[Change, OnDone | None, int]
"""A change, who is told, and how many bytes it takes while it waits; what the thread makes of itself takes none."""


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
        self.waiting = 0
        """Bytes of memory that wait to be written."""
        self._ground = ground
        self._lock = lock
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._inode = path.stat().st_ino
        self._loop = loop
        self._on_fault = on_fault
        self._queue: deque[_Posted] = deque()
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._woken = False
        self._timer: asyncio.TimerHandle | None = None
        self._gather_until = 0.0
        self._again: list[_Posted] = []
        self._owed: list[_Posted] = []
        self._after = totals
        self._progress: asyncio.Event = asyncio.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="cache-writer", daemon=True)
        self._thread.start()

    @property
    def owes(self) -> bool:
        """Whether there is something to remove that could not be removed yet."""
        return bool(self._owed)

    def post(self, change: Change, done: OnDone | None = None) -> None:
        """Have a change made in a moment, after those posted before; `done` is told whether it could be."""
        if self._ended:
            if done is not None:
                done(False)
            return
        if isinstance(change, Put):
            body = change.body
            weight = _CHANGE_OVERHEAD + len(change.head) + (len(body) if body is not None else 0)
            self.entries_waiting += 1
            self.bytes_waiting += change.size
        else:
            weight = _CHANGE_OVERHEAD + (len(change.head) if isinstance(change, Freshen) else 0)
        self.waiting += weight
        self._queue.append((change, done, weight))
        if self._timer is None:
            self._soon()
        if self.waiting > _ENOUGH:
            self.hurry()

    def hurry(self) -> None:
        """Have what was posted made now."""
        if not self._woken:
            self._woken = True
            self._wakes.put(None)

    async def make(self, change: Change) -> bool:
        """Post a change and wait for it."""
        future: asyncio.Future[bool] = self._loop.create_future()
        self.post(change, lambda made: None if future.done() else future.set_result(made))
        self.hurry()
        return await future

    async def room(self) -> None:
        """Wait until no more than the bound is waiting."""
        while self.waiting > MAX_WAITING:
            await self._progress.wait()

    async def aclose(self) -> None:
        """Make what was posted, and end. Idempotent."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        self.hurry()
        await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # what the thread has reported last is told now

    def _soon(self) -> None:
        """Have what was posted made: after a pause at once, otherwise together with what comes until the time is up."""
        if self._loop.time() >= self._gather_until:
            self._gathered()
        else:
            self._timer = self._loop.call_at(self._gather_until, self._gathered)

    def _gathered(self) -> None:
        self._timer = None
        self._gather_until = self._loop.time() + GATHER_S
        self.hurry()

    def _run(self) -> None:
        full = False
        while True:
            trimming = self._ground.bound.trimming
            if not (full or self._again or trimming or self._ended):
                self._wakes.get()
            # Before looking into the queue: who posts from now on wakes us again.
            self._woken = False
            ended = self._ended
            batch, full = self._next_batch()
            if trimming and not batch and not ended:
                batch.append((Abandon([]), None, 0))
            if batch:
                self._commit(batch)
            self._checkpoint()
            if ended and not (full or self._again):
                return

    def _next_batch(self) -> tuple[list[_Posted], bool]:
        """What is to be made next, and whether that is as much as is made at once."""
        batch, self._again = self._again, []
        size = 0
        queue = self._queue
        while queue:
            posted = queue.popleft()
            batch.append(posted)
            size += posted[2]
            if len(batch) >= _AT_ONCE or size >= _BYTES_AT_ONCE:
                return batch, True
        return batch, False

    def _commit(self, batch: list[_Posted]) -> None:
        batch = [*self._owed, *batch]
        self._owed = []
        try:
            results = self._transact([posted[0] for posted in batch])
        except Exception as error:
            self._ground.bound.trimming = False
            self._tell(self._on_fault, error)
            results = self._lessen(batch)
        self._again += [posted for posted, result in zip(batch, results, strict=True) if result is None]
        self._tell(self._finish, (batch, results, self._after))

    def _lessen(self, batch: list[_Posted]) -> list[bool | None]:
        """Where not all can be done, what makes less may: a full disk must not keep what was invalidated."""
        results: list[bool | None] = [False] * len(batch)
        lessening = [at for at, posted in enumerate(batch) if isinstance(posted[0], LESSENING)]
        if not lessening:
            return results
        try:
            made = self._transact([batch[at][0] for at in lessening])
        except Exception:
            # Their callers are told now; the changes themselves are tried again with whatever comes next.
            self._owed = [(batch[at][0], None, 0) for at in lessening]
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
            self._again.append((Abandon(transaction.doomed), None, 0))
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
        """Move what is in the log to the database when it has grown; outside the lock, and nobody waits for it.

        The file's size tells: it is what others have written too, and who was killed; a log begun anew is cut to size.
        """
        try:
            if self._log.stat().st_size > LOG_BYTES:
                self._ground.db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except FileNotFoundError:
            return
        except (sqlite3.Error, OSError) as error:
            self._tell(self._on_fault, error)

    def _tell[T](self, callback: Callable[[T], None], value: T) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(callback, value)

    def _finish(self, report: tuple[list[_Posted], list[bool | None], Totals]) -> None:
        batch, results, self.totals = report
        for (change, done, weight), result in zip(batch, results, strict=True):
            if result is None:
                continue
            self.waiting -= weight
            if isinstance(change, Put):
                self.entries_waiting -= 1
                self.bytes_waiting -= change.size
            if done is not None:
                done(result)
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
        slots, in_flux = self._board.slots, self._board.in_flux
        self._flux = {place: in_flux(place) for place in self._places}
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
