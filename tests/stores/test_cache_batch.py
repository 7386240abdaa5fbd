import sqlite3
from dataclasses import replace

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.stores.cache_batch import Freshen, Put, Remove, Written, apply
from sluicegate.stores.cache_disk import DATABASE_NAME, DiskCacheStore
from support.cache_entries import KEY, body_of, entry, put

MIB = 1024 * 1024
NOW = 2_000_000_000.0


@pytest.fixture
async def store(tmp_path):
    made = DiskCacheStore(tmp_path, events=None, clock=ManualClock())
    await made.entries(KEY)
    yield made
    await made.aclose()


@pytest.fixture
def database(store, tmp_path):
    connection = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
    connection.execute("PRAGMA foreign_keys=ON")
    yield connection
    connection.close()


def new(number: int) -> StoredEntry:
    return replace(entry(), id=f"{number:032x}")


def change(database, *changes, now: float = NOW, max_size: int = 100 * MIB) -> list[Written | None]:
    return apply(database, changes, now=now, max_size=max_size)


@pytest.mark.parametrize("body", [b"", b"x", b"xy" * 100_000])
async def test_what_was_put_is_found_as_if_the_store_had_written_it(store, database, body):
    [written] = change(database, Put(KEY, new(1), body))

    [found] = await store.entries(KEY)
    assert (found.id, found.response, found.body_length) == (new(1).id, new(1).response, len(body))
    assert await body_of(store, found) == body
    assert store.heads(KEY) == {new(1).id: written.head}


async def test_changes_of_one_entry_are_made_in_order(store, database):
    changes = [Put(KEY, new(1), b"x"), Freshen(KEY, replace(new(1), response_time=9.0)), Put(KEY, new(2), b"y")]
    change(database, *changes, Remove(new(2).id))

    [found] = await store.entries(KEY)
    assert (found.id, found.response_time) == (new(1).id, 9.0)


async def test_what_the_store_wrote_itself_is_freshened_and_removed(store, database):
    stored = await put(store, b"x")
    [written] = change(database, Freshen(KEY, replace(stored, response_time=9.0)))
    [found] = await store.entries(KEY)
    assert found.response_time == 9.0
    assert store.heads(KEY) == {stored.id: written.head}

    change(database, Remove(stored.id))
    assert await store.entries(KEY) == []


async def test_a_change_that_fails_undoes_them_all(store, database):
    with pytest.raises(sqlite3.IntegrityError):
        change(database, Put(KEY, new(1), b"x"), Put(KEY, new(1), b"y"))

    assert await store.entries(KEY) == []
    assert not database.in_transaction


async def test_what_does_not_fit_is_not_added_and_the_rest_is(store, database):
    stored = await put(store, b"x")

    done = change(database, Put(KEY, new(1), b"y" * MIB), Remove(stored.id), max_size=MIB)

    assert (done[0], done[1] is not None) == (None, True)
    assert await store.entries(KEY) == []


async def test_what_was_used_least_recently_makes_room_but_not_what_may_still_be_read(store, database):
    for number in range(100):
        change(database, Put(str(number), new(number), b"x" * 10_000), now=NOW + number)

    change(database, Put("new", new(999), b"y"), now=NOW + 250, max_size=MIB)
    assert [bool(await store.entries(str(number))) for number in (0, 60, 75, 99)] == [False, True, True, True]
    assert await store.entries("new") != []


async def test_what_was_removed_is_deleted_once_nobody_can_be_reading_it(store, database):
    change(database, Put(KEY, new(1), b"x"), Remove(new(1).id))
    counted = "SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM streams)"

    change(database, Put("other", new(2), b""), now=NOW + 179)
    assert database.execute(counted).fetchone() == (2, 1)
    change(database, Put("third", new(3), b""), now=NOW + 181)
    assert database.execute(counted).fetchone() == (2, 0)
