import sqlite3
from dataclasses import replace

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


async def test_the_version_changes_with_what_others_do_and_with_nothing_else(store, index):
    before = index.version()
    assert index.version() == before

    stored = await put(store, b"x")
    added = index.version()
    assert added != before
    await store.remove(stored.id)
    assert index.version() != added


async def test_heads_are_the_same_as_long_as_the_head_is(store, index):
    stored = await put(store, b"x")
    heads = index.heads(KEY)
    assert [*heads] == [stored.id]
    await put(store, b"y", key="other")
    assert index.heads(KEY) == heads

    await store.freshen(replace(stored, response_time=9.0))
    assert index.heads(KEY) != heads
    await store.remove(stored.id)
    assert index.heads(KEY) == {}


async def test_totals_leave_out_what_is_counted_elsewhere(store, index):
    stored = await put(store, b"x")
    await put(store, b"y", key="other")

    assert (index.totals()[0], index.totals([stored.id])[0]) == (2, 1)
