"""Reading the database: threads with connections of their own, which never wait for whoever writes."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.codec import load_entry
from sluicegate.stores.cache.disk.database import connect
from sluicegate.stores.cache.front import Loaded

_THREADS = 2
_AT_ONCE = 32
_BODIES_AT_ONCE = 16
_COLUMNS = "id, head, request_time, response_time, revision, length"
_UNDER_KEY = "FROM entry WHERE crc = ? AND mark = ? AND key = ? ORDER BY id"
_SELECT = f"SELECT {_COLUMNS} {_UNDER_KEY}"
_SELECT_WITH_BODIES = (
    f"SELECT {_COLUMNS}, (SELECT data FROM body WHERE body.id = entry.id) "  # noqa: S608 - constants only
    f"{_UNDER_KEY} LIMIT {_BODIES_AT_ONCE + 1}"
)

type _Job = tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]
type _Row = tuple[int, bytes, float, float, int, int, bytes | None]
type _Answer = tuple[asyncio.Future[Any], Any, BaseException | None]


class Lookups:
    """Asks the database, off the event loop."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        """Open the connections. For a thread. Raises sqlite3.Error, OSError, Damaged."""
        self._loop = loop
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        with contextlib.ExitStack() as undo:
            connections = [
                undo.enter_context(contextlib.closing(connect(path, read_only=True))) for _ in range(_THREADS)
            ]
            undo.pop_all()
        for db in connections:
            thread = threading.Thread(target=self._run, args=(db,), name="cache-reader", daemon=True)
            self._threads.append(thread)
            thread.start()

    async def ask[T](self, job: Callable[[sqlite3.Connection], T]) -> T:
        """What `job` answers. Raises what it raises, and CacheStoreError when this is closed."""
        if not self._threads:
            raise CacheStoreError("the store is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((job, future))
        return await future

    async def aclose(self) -> None:
        """Answer what was asked, and close. Idempotent."""
        threads, self._threads = self._threads, []
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            await asyncio.to_thread(thread.join)

    def _run(self, db: sqlite3.Connection) -> None:
        with contextlib.closing(db):
            job = self._jobs.get()
            while job is not None:
                answers = [_answer(db, job)]
                with contextlib.suppress(Empty):
                    while len(answers) < _AT_ONCE:
                        job = self._jobs.get_nowait()
                        if job is None:
                            break
                        answers.append(_answer(db, job))
                with contextlib.suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(_deliver, answers)
                if job is not None:
                    job = self._jobs.get()


def _answer(db: sqlite3.Connection, job: _Job) -> _Answer:
    try:
        return job[1], job[0](db), None
    except Exception as error:
        return job[1], None, error


def _deliver(answers: list[_Answer]) -> None:
    for future, value, error in answers:
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)


def load(db: sqlite3.Connection, key: bytes, crc: int, mark: int, *, bodies: bool) -> tuple[list[Loaded], list[int]]:
    """The entries under a key, oldest first, and the ids of those that cannot be read.

    With the small bodies, if they are wanted and not too many. Raises sqlite3.Error.
    """
    rows: list[_Row] = []
    if bodies:  # in the same statement, for each one gives up Python's lock and has to wait for it
        rows = db.execute(_SELECT_WITH_BODIES, (crc, mark, key)).fetchall()
    if not bodies or len(rows) > _BODIES_AT_ONCE:
        rows = [(*row, None) for row in db.execute(_SELECT, (crc, mark, key)).fetchall()]
    loaded = []
    damaged = []
    for row in rows:
        try:
            loaded.append(_loaded(row))
        except CacheStoreError:
            damaged.append(row[0])
    return loaded, damaged


def _loaded(row: _Row) -> Loaded:
    entry_id, head, request_time, response_time, revision, length, data = row
    entry = load_entry(
        head, entry_id=str(entry_id), request_time=request_time, response_time=response_time, body_length=length
    )
    body = b"" if length == 0 else data
    if body is not None and len(body) != length:
        raise CacheStoreError("a stored response is damaged")
    return Loaded(entry, revision, len(head), body)


def where_body_is(db: sqlite3.Connection, entry_id: int) -> tuple[int, bytes | None]:
    """An entry's body length, and the body unless it is in a file. Raises sqlite3.Error; CacheStoreError when gone."""
    row = db.execute(
        "SELECT length, filed, data FROM entry LEFT JOIN body ON body.id = entry.id WHERE entry.id = ?", (entry_id,)
    ).fetchone()
    if row is None:
        raise CacheStoreError("the stored response is gone")
    length, filed, data = row
    if filed:
        return length, None
    if len(data or b"") != length:
        raise CacheStoreError("the stored response is damaged")
    return length, data or b""
