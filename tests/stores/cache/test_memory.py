from dataclasses import replace

import pytest

from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.memory import MemoryCacheStore
from support.cache_entries import KEY, entry
from support.cache_stores import MIB, keep
from support.messages import fields


async def test_memory_always_knows_without_waiting():
    store = MemoryCacheStore()

    assert store.recall(KEY) == []
    kept = await keep(store, b"x")
    assert store.recall(KEY) == [kept]
    await store.remove(kept.id)
    assert store.recall(KEY) == []


async def test_a_recall_counts_as_a_use():
    store = MemoryCacheStore(max_size=40_000)
    await keep(store, b"a" * 10_000, key="first")
    await keep(store, b"b" * 10_000, key="second")
    store.recall("first")

    await keep(store, b"c" * 10_000, key="third")
    await keep(store, b"d" * 10_000, key="fourth")

    assert [len(store.recall(key)) for key in ("first", "second", "third", "fourth")] == [1, 0, 1, 1]


async def test_bodies_are_at_hand_up_to_a_size_beyond_which_they_are_read_in_pieces():
    store = MemoryCacheStore()
    small, large = await keep(store, *[b"x" * 1000] * 10), await keep(store, *[b"y" * 100_000] * 11)

    assert store.body_at_hand(small) == b"x" * 10_000
    assert store.body_at_hand(large) is None


async def test_bodies_under_way_count_against_the_bound():
    store = MemoryCacheStore(max_size=40_000)
    writers = [store.begin(KEY, entry(), None) for _ in range(5)]
    for _ in range(3):
        for writer in writers:
            await writer.write(b"x" * 10_000)
            assert store.stats()[1] <= 40_000

    assert store.stats()[1] >= 30_000
    for writer in writers:
        await writer.aclose()
    assert store.stats() == (0, 0)


async def test_a_longer_head_counts_too():
    store = MemoryCacheStore(max_size=MIB)
    kept = await keep(store, b"x")
    before = store.stats()[1]

    await store.freshen(replace(kept, response=replace(kept.response, fields=fields(f"New: {'x' * 10_000}"))))

    assert store.stats()[1] >= before + 9_000
    await store.remove(kept.id)
    assert store.stats() == (0, 0)


async def test_closing_in_the_middle_of_a_body_ends_the_storing():
    store = MemoryCacheStore()
    writer = store.begin(KEY, entry(), None)
    await writer.write(b"x")

    await store.aclose()

    assert not await writer.write(b"y")
    with pytest.raises(CacheStoreError):
        await writer.read(0)
    assert store.stats() == (0, 0)
    assert store.begin(KEY, entry(), None) is None
