"""The promises of `ports.CacheStore`, asked of every store."""

import asyncio
from dataclasses import replace

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.errors import CacheStoreError, ClientGone, ResponseCutShort, ResponseTimeout
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.stores.cache_disk import DiskCacheStore
from sluicegate.stores.cache_front import FrontCacheStore
from support.cache_entries import KEY, body_of, entry, put
from support.messages import Body, fields, read_all

MIB = 1024 * 1024


class Forgetful:
    def emit(self, event) -> None:
        pass


@pytest.fixture(params=["front", "disk", "memory"])
def make_store(request, tmp_path):
    def make(**options):
        if request.param == "memory":
            return MemoryCacheStore(**options)
        disk = DiskCacheStore(tmp_path / "cache", events=Forgetful(), clock=ManualClock(), **options)
        return disk if request.param == "disk" else FrontCacheStore(disk, clock=ManualClock())

    return make


@pytest.fixture
async def store(make_store):
    made = make_store()
    yield made
    await made.aclose()


async def test_an_entry_comes_back_exactly_as_it_was_given(store):
    given = entry()
    reader = await store.store(KEY, given, Body(b"hello ", b"world"))
    await read_all(reader)

    [stored] = await store.entries(KEY)

    assert stored.id != ""
    assert (stored.request, stored.response) == (given.request, given.response)
    assert (stored.request_time, stored.response_time) == (1000.25, 1001.5)
    assert stored.body_length == 11
    assert await body_of(store, stored) == b"hello world"


@pytest.mark.parametrize(
    "pieces", [(), (b"x",), (b"a" * 131072,), (b"a" * 131072, b"b"), (b"ab" * 65536 * 3,), (b"x" * 1000,) * 400]
)
async def test_bodies_of_every_shape_come_back_whole_with_their_length(store, pieces):
    stored = await put(store, *pieces)

    assert stored.body_length == len(b"".join(pieces))
    reader = await store.open_body(stored)
    assert reader.length == stored.body_length
    assert await read_all(reader) == b"".join(pieces)
    assert await reader.read() == b""


async def test_nothing_is_found_under_another_key(store):
    await put(store, b"x")

    assert await store.entries("http://example.com/b") == []


async def test_an_entry_is_visible_when_its_body_was_read_to_the_end_and_not_before(store):
    reader = await store.store(KEY, entry(), Body(b"half ", b"whole"))

    assert await reader.read() == b"half "
    assert await reader.read() == b"whole"
    assert await store.entries(KEY) == []
    assert await reader.read() == b""
    assert len(await store.entries(KEY)) == 1


async def test_an_empty_body_is_at_its_end_though_nobody_reads_it(store):
    reader = await store.store(KEY, entry(), Body(length=0))

    await reader.aclose()

    assert [stored.body_length for stored in await store.entries(KEY)] == [0]


async def test_a_reader_that_gives_up_leaves_nothing(store):
    body = Body(b"half ", b"whole")
    reader = await store.store(KEY, entry(), body)
    await reader.read()

    await reader.aclose()
    await reader.aclose()

    assert body.closed
    assert await store.entries(KEY) == []
    assert store.stats()[0] == 0


async def test_closing_after_the_end_keeps_the_entry(store):
    body = Body(b"x")
    reader = await store.store(KEY, entry(), body)
    await read_all(reader)

    await reader.aclose()

    assert body.closed
    assert len(await store.entries(KEY)) == 1


@pytest.mark.parametrize("error", [ResponseCutShort("cut"), ResponseTimeout("slow"), ClientGone("gone")])
async def test_a_body_that_breaks_reaches_the_reader_as_it_is_and_leaves_nothing(store, error):
    reader = await store.store(KEY, entry(), Body(b"half", error=error))
    assert await reader.read() == b"half"

    with pytest.raises(type(error)):
        await reader.read()
    await reader.aclose()

    assert await store.entries(KEY) == []


async def test_a_read_that_is_cancelled_leaves_nothing(store):
    class Stuck(Body):
        reading = asyncio.Event()

        async def read(self) -> bytes:
            self.reading.set()
            await asyncio.Event().wait()
            raise AssertionError

    body = Stuck()
    reader = await store.store(KEY, entry(), body)
    task = asyncio.get_running_loop().create_task(reader.read())
    await body.reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await reader.aclose()

    assert body.closed
    assert await store.entries(KEY) == []


async def test_two_writers_of_one_key_do_not_mix(store):
    readers = [await store.store(KEY, entry(), Body(*[letter * 100_000] * 3)) for letter in (b"a", b"b")]
    for _ in range(4):
        for reader in readers:
            await reader.read()

    found = await store.entries(KEY)

    assert len({stored.id for stored in found}) == 2
    assert {await body_of(store, stored) for stored in found} == {b"a" * 300_000, b"b" * 300_000}


async def test_an_entry_may_be_read_twice_at_the_same_time(store):
    stored = await put(store, *[b"x" * 100_000] * 5)
    first, second = await store.open_body(stored), await store.open_body(stored)

    pairs = [(await first.read(), await second.read()) for _ in range(8)]

    assert b"".join(one for one, _ in pairs) == b"".join(other for _, other in pairs) == b"x" * 500_000


async def test_a_freshened_entry_has_a_new_head_and_the_same_body(store):
    stored = await put(store, b"body")

    await store.freshen(
        replace(stored, response=replace(stored.response, fields=fields("New: 1")), response_time=2000.0)
    )

    [found] = await store.entries(KEY)
    assert found.id == stored.id
    assert (found.response.fields, found.response_time, found.body_length) == (fields("New: 1"), 2000.0, 4)
    assert await body_of(store, found) == b"body"


async def test_a_freshened_entry_can_be_read_without_looking_it_up_again(store):
    stored = await put(store, b"body")
    freshened = replace(stored, response_time=2000.0)
    await store.freshen(freshened)

    assert await body_of(store, freshened) == b"body"
    assert await body_of(store, stored) == b"body"


async def test_a_removed_entry_is_not_found_and_others_are(store):
    first, second = await put(store, b"first"), await put(store, b"second")

    await store.remove(first.id)
    await store.remove(first.id)

    assert [found.id for found in await store.entries(KEY)] == [second.id]
    await store.freshen(first)
    assert len(await store.entries(KEY)) == 1


async def test_a_body_being_read_while_its_entry_is_removed_is_delivered_whole(store):
    stored = await put(store, *[b"x" * 100_000] * 5)
    reader = await store.open_body(stored)
    begun = await reader.read()

    await store.remove(stored.id)

    assert begun + await read_all(reader) == b"x" * 500_000


async def test_the_body_of_an_entry_that_is_gone_is_refused_at_once(store):
    gone = replace(await put(store, b"x"), id="0" * 32)

    with pytest.raises(CacheStoreError):
        await store.open_body(StoredEntry(gone.id, gone.request, gone.response, 0, 0))


async def test_a_body_known_to_be_too_large_is_not_touched(make_store):
    store = make_store(max_entry_size=10)
    body = Body(b"x" * 11, length=11)

    assert await store.store(KEY, entry(), body) is body
    await store.aclose()


async def test_a_body_that_turns_out_too_large_is_passed_on_and_not_kept(make_store):
    store = make_store(max_entry_size=10)
    reader = await store.store(KEY, entry(), Body(b"123456", b"123456", b"123456"))

    assert await read_all(reader) == b"123456" * 3
    assert await store.entries(KEY) == []
    assert (await put(store, b"1234567890")).body_length == 10
    await store.aclose()


async def test_trailers_are_passed_on(store):
    body = Body(b"x")
    reader = await store.store(KEY, entry(), body)
    await reader.read()
    body.trailers = [(b"Checksum", b"1")]
    await reader.read()

    assert reader.trailers == [(b"Checksum", b"1")]


async def test_the_length_that_framing_tells_is_passed_on(store):
    assert (await store.store(KEY, entry(), Body(b"x", length=1))).length == 1


async def test_statistics_count_entries_and_bytes(store):
    await put(store, b"x")
    before = store.stats()
    await put(store, b"y" * MIB)

    assert before[0] == 1
    assert store.stats()[0] == 2
    assert store.stats()[1] - before[1] >= MIB - 4096


async def test_a_smaller_bound_stops_storing_what_does_not_fit(store):
    await put(store, b"x")

    await store.set_max_size(100_000)
    reader = await store.store(KEY, entry(), Body(*[b"y" * 50_000] * 4))

    assert await read_all(reader) == b"y" * 200_000
    assert len(await store.entries(KEY)) <= 1


async def test_closing_in_the_middle_of_a_body_ends_the_storing_and_not_the_reading(store):
    reader = await store.store(KEY, entry(), Body(b"a" * 200_000, b"b"))
    assert await reader.read() == b"a" * 200_000

    await store.aclose()

    assert await reader.read() == b"b"
    assert await reader.read() == b""
    await reader.aclose()
