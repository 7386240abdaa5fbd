from sluicegate.stores.cache.memory import MemoryCacheStore
from support.cache_entries import KEY, body_of, entry, put
from support.messages import Body, read_all


async def test_the_least_recently_read_goes_first():
    store = MemoryCacheStore(max_size=40_000)
    first = await put(store, b"a" * 10_000, key="first")
    await put(store, b"b" * 10_000, key="second")
    await body_of(store, first)

    await put(store, b"c" * 10_000, key="third")
    await put(store, b"d" * 10_000, key="fourth")

    assert [len(await store.entries(key)) for key in ("first", "second", "third", "fourth")] == [1, 0, 1, 1]


async def test_bodies_under_way_count_against_the_bound():
    store = MemoryCacheStore(max_size=40_000)
    readers = [await store.store(KEY, entry(), Body(*[b"x" * 10_000] * 3)) for _ in range(5)]
    for _ in range(3):
        for reader in readers:
            await reader.read()
            assert store.stats()[1] <= 40_000

    assert store.stats()[1] >= 30_000
    for reader in readers:
        await reader.aclose()
    assert store.stats() == (0, 0)


async def test_an_evicted_body_is_read_to_its_end():
    store = MemoryCacheStore(max_size=40_000)
    stored = await put(store, *[b"x" * 10_000] * 3)
    reader = await store.open_body(stored)
    begun = await reader.read()

    await put(store, b"y" * 30_000, key="other")

    assert await store.entries(KEY) == []
    assert begun + await read_all(reader) == b"x" * 30_000


async def test_a_smaller_bound_evicts_at_once():
    store = MemoryCacheStore()
    await put(store, b"x" * 100_000)

    await store.set_max_size(50_000)

    assert store.stats() == (0, 0)


async def test_many_small_entries_are_bounded_too():
    store = MemoryCacheStore(max_size=100_000)
    for number in range(200):
        await put(store, b"", key=str(number))

    assert store.stats()[0] < 100
    assert store.stats()[1] <= 100_000
