import sqlite3

import pytest

from sluicegate.clock import ManualClock
from sluicegate.stores.cache_disk import DATABASE_NAME, DiskCacheStore
from sluicegate.stores.cache_index import CacheIndex
from support.cache_entries import KEY, entry, put
from support.messages import Body


@pytest.fixture
async def store(tmp_path):
    made = DiskCacheStore(tmp_path, events=None, clock=ManualClock())
    await made.entries(KEY)
    yield made
    await made.aclose()


@pytest.fixture
async def index(store, tmp_path):
    made = CacheIndex(tmp_path / DATABASE_NAME)
    yield made
    made.close()


@pytest.mark.parametrize("length", [0, 1, 131071, 131072, 131073, 262144, 300000])
async def test_it_knows_how_long_a_body_is(store, index, length):
    stored = await put(store, b"x" * length) if length else await put(store)

    assert index.body_lengths(KEY) == {stored.id: length}


async def test_it_sees_neither_what_is_being_written_nor_what_was_removed(store, index):
    reader = await store.store(KEY, entry(), Body(b"x" * 200_000, b"y"))
    await reader.read()
    assert index.body_lengths(KEY) == {}
    await reader.aclose()

    stored = await put(store, b"x")
    await store.remove(stored.id)
    assert index.body_lengths(KEY) == {}
    assert index.totals()[0] == 0


async def test_it_cannot_write(index):
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        index._connection.execute("DELETE FROM entries")


async def test_it_counts_entries_and_bytes(store, index):
    await put(store, b"x" * 1_000_000)

    entries, size = index.totals()

    assert entries == 1
    assert 1_000_000 < size < 1_200_000
