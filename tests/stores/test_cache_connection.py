import asyncio
import sqlite3

import pytest

from sluicegate.stores.cache_connection import DiskConnection, is_corrupt


@pytest.fixture
async def failures():
    return []


@pytest.fixture
async def connection(tmp_path, failures):
    opened = await DiskConnection.open(tmp_path / "a.db", failures.append)
    yield opened
    await opened.close()


async def test_rows_are_fetched_one_by_one_or_together(connection):
    cursor = await connection.cursor()
    await cursor.execute("VALUES (1), (2), (3)")

    assert await cursor.fetchone() == (1,)
    assert await cursor.fetchall() == [(2,), (3,)]
    assert await cursor.fetchone() is None


async def test_each_statement_is_durable_by_itself(connection, tmp_path):
    cursor = await connection.cursor()
    await cursor.execute("CREATE TABLE t (a)")
    await cursor.execute("INSERT INTO t VALUES (?)", (1,))

    other = sqlite3.connect(tmp_path / "a.db")
    assert other.execute("SELECT a FROM t").fetchall() == [(1,)]
    other.close()
    assert cursor.rowcount == 1


async def test_statements_of_many_tasks_run_one_after_the_other(connection):
    cursor = await connection.cursor()
    await cursor.execute("CREATE TABLE t (a)")

    async def insert(number: int) -> None:
        await (await connection.cursor()).execute("INSERT INTO t VALUES (?)", (number,))

    await asyncio.gather(*(insert(number) for number in range(50)))

    await cursor.execute("SELECT count(*) FROM t")
    assert await cursor.fetchone() == (50,)


async def test_a_failing_statement_raises_and_is_reported(connection, failures):
    cursor = await connection.cursor()

    with pytest.raises(sqlite3.OperationalError) as raised:
        await cursor.execute("SELECT * FROM nowhere")

    assert failures == [raised.value]
    assert connection.failure is raised.value
    assert not is_corrupt(raised.value)


async def test_a_file_that_is_no_database_is_told_from_other_failures(tmp_path, failures):
    (tmp_path / "b.db").write_bytes(b"no database at all" * 100)
    connection = await DiskConnection.open(tmp_path / "b.db", failures.append)

    with pytest.raises(sqlite3.DatabaseError) as raised:
        await (await connection.cursor()).execute("SELECT * FROM sqlite_master")

    assert is_corrupt(raised.value)
    await connection.close()


async def test_a_file_that_cannot_be_opened_raises(tmp_path, failures):
    with pytest.raises(sqlite3.OperationalError):
        await DiskConnection.open(tmp_path / "missing" / "a.db", failures.append)


async def test_a_function_has_the_connection_to_itself_and_in_its_thread(connection, failures):
    await (await connection.cursor()).execute("CREATE TABLE t (a)")

    def fill(database: sqlite3.Connection) -> int:
        database.execute("INSERT INTO t VALUES (1)")
        return database.execute("SELECT count(*) FROM t").fetchone()[0]

    assert await connection.call(fill) == 1
    with pytest.raises(sqlite3.OperationalError):
        await connection.call(lambda database: database.execute("nonsense"))
    assert failures == []
