"""SQLite for hishel's storage: one trip to a thread for each statement, and every failure is seen.

hishel takes a connection with anysqlite's methods. That library goes to a thread four times for one statement (cursor,
execute, fetch, commit); this one goes once, keeps the rows, and has nothing to commit, being in autocommit.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

type OnFailure = Callable[[sqlite3.Error], None]


class DiskConnection:
    """A connection whose statements run one after the other in a thread of its own."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor, on_failure: OnFailure) -> None:
        self._connection = connection
        self._thread = thread
        self._on_failure = on_failure
        self.failure: sqlite3.Error | None = None
        """The latest failure of a statement."""

    @classmethod
    async def open(cls, path: Path, on_failure: OnFailure) -> "DiskConnection":
        """Open or create the database at `path`. Raises sqlite3.Error. `on_failure` is told of later failures."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="cache-store")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _connect, path)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(connection, thread, on_failure)

    async def cursor(self) -> "DiskCursor":
        return DiskCursor(self)

    async def commit(self) -> None:
        """Nothing to do: each statement is a transaction."""

    async def close(self) -> None:
        """Close after the statements under way."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)

    async def run(self, sql: str, parameters: Iterable[Any]) -> tuple[list[Any], int]:
        """Execute one statement; its rows, and how many rows it changed. Raises sqlite3.Error."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, sql, tuple(parameters))
        except sqlite3.Error as error:
            self.failure = error
            self._on_failure(error)
            raise

    async def call[T](self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Give the connection to `function`, in its thread and between two statements. Raises what that raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, self._connection)

    def _run(self, sql: str, parameters: tuple[Any, ...]) -> tuple[list[Any], int]:
        cursor = self._connection.execute(sql, parameters)
        try:
            return cursor.fetchall(), cursor.rowcount
        finally:
            cursor.close()


class DiskCursor:
    """What hishel uses of a cursor."""

    def __init__(self, connection: DiskConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.rowcount = -1

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> None:
        self._rows, self.rowcount = await self._connection.run(sql, parameters)

    async def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether the file is at fault: damaged, or no database at all."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)
