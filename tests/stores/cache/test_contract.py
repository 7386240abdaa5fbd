"""The promises of `ports.CacheStore` and `ports.EntryWriter`, asked of every store."""

import asyncio
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.core.caching.decisions import Span
from sluicegate.core.caching.digests import digest_of
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.http import ResponseHead
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.redis.store import RedisCacheStore
from support.cache_entries import KEY, entry
from support.cache_stores import KIB, MIB, Kind, arrive, body_of, ids, keep, try_to_keep, until
from support.messages import fields, read_all

KINDS = ("memory", "disk", "redis")
SHARED = ("disk", "redis")
PIECE = 512 * KIB
"""A border inside the bodies of some stores."""
LENGTHS = (0, 1, 16 * KIB, 16 * KIB + 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, PIECE, MIB - 1, MIB, MIB + 1, 5 * MIB)


def noise(length: int) -> bytes:
    """Bytes of which no part looks like another."""
    return random.Random(length).randbytes(length)


def in_pieces(body: bytes, size: int = 60_000) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


@pytest.fixture(params=KINDS)
async def kind(request, tmp_path):
    server = request.getfixturevalue("shared_redis") if request.param == "redis" else None
    made = Kind(request.param, tmp_path, server)
    yield made
    await made.aclose()


@pytest.fixture
async def store(kind):
    return await kind.open()


@pytest.fixture(params=SHARED)
async def shared(request, tmp_path):
    server = request.getfixturevalue("shared_redis") if request.param == "redis" else None
    made = Kind(request.param, tmp_path, server)
    yield made
    await made.aclose()


@pytest.fixture
async def two(shared):
    """Two stores on the same, as two processes have them."""
    return await shared.open(), await shared.open()


# What is found


async def test_an_entry_comes_back_exactly_as_it_was_given(store):
    given = entry()
    kept = await keep(store, b"hello ", b"world")

    [found] = await store.entries(KEY)

    assert found.id == kept.id != ""
    assert found == replace(given, id=kept.id, body_length=11) == kept
    assert (found.request_time, found.response_time) == (1000.25, 1001.5)


async def test_header_bytes_survive_in_order_case_and_repetition(store):
    wire = [(b"X-B", b"2"), (b"x-b", b"\x80\xff obs"), (b"X-B", b"2"), (b"A", b""), (b"Set-Cookie", b"a=\xc3\xa9;\tb")]
    given = replace(entry(), response=ResponseHead(299, b"Fine \xe9\xff", wire))
    writer = store.begin(KEY, given, None)
    await writer.commit()
    await writer.aclose()

    [found] = await store.entries(KEY)

    assert found.response == ResponseHead(299, b"Fine \xe9\xff", wire)


async def test_nothing_is_found_under_another_key(store):
    await keep(store, b"x")

    assert await store.entries(KEY + "b") == []
    assert store.recall(KEY + "b") in ([], None)


async def test_what_is_recalled_is_what_is_found(store):
    await keep(store, b"x")
    found = await store.entries(KEY)

    assert store.recall(KEY) == found


async def test_an_entry_that_has_not_changed_is_the_same_object_each_time(store):
    await keep(store, b"one")
    await keep(store, b"two")
    found = await store.entries(KEY)
    await keep(store, b"elsewhere", key="http://other.example/")

    for again in (store.recall(KEY), await store.entries(KEY), store.recall(KEY)):
        assert len(again) == 2
        assert {id(one) for one in again} == {id(one) for one in found}


async def test_entries_stay_the_same_objects_when_another_joins_them(store):
    first = await keep(store, b"one")
    [before] = await store.entries(KEY)
    await keep(store, b"two")

    after = await store.entries(KEY)

    assert next(one for one in after if one.id == first.id) is before


async def test_what_a_store_returned_may_be_changed_by_who_has_it(store):
    await keep(store, b"x")
    (await store.entries(KEY)).clear()
    (store.recall(KEY) or []).clear()

    assert len(await store.entries(KEY)) == 1


# What is listed


async def listing(store, prefix: str = "", *, exact: bool = False) -> list:
    return [listed async for listed in store.listed(prefix, exact=exact)]


async def test_an_entry_is_listed_as_it_is_found(store):
    kept = await keep(store, b"hello ", b"world")

    [listed] = await listing(store)

    assert listed.key == KEY
    assert listed.entry == kept
    assert listed.digest == digest_of(b"hello world")
    assert listed.size >= 11


@pytest.mark.parametrize("length", LENGTHS)
async def test_bodies_of_every_length_have_their_digest(store, length):
    body = noise(length)
    await keep(store, *in_pieces(body))

    [listed] = await listing(store)

    assert listed.digest == digest_of(body)


async def test_a_new_head_leaves_the_digest_as_it_is(store):
    kept = await keep(store, b"body")
    await store.freshen(replace(kept, response=ResponseHead(200, b"OK", fields("new: yes"))))

    [listed] = await listing(store)

    assert listed.entry.response.fields == fields("new: yes")
    assert listed.digest == digest_of(b"body")


async def test_a_use_is_told_by_the_minute_where_it_is_told_at_all(store):
    before = time.time()
    await keep(store, b"x")

    [listed] = await listing(store)

    assert listed.used == 0.0 or before - 60 <= listed.used <= time.time() + 60


async def test_more_entries_than_a_page_are_all_listed_once(store):
    keys = {f"http://example.com/{number}" for number in range(700)}
    for key in keys:
        await keep(store, b"x", key=key)

    listed = await listing(store)

    assert sorted(one.key for one in listed) == sorted(keys)


async def test_only_what_begins_with_the_prefix_is_listed(store):
    keys = ["http://a.example/x", "http://a.example/xy", "http://a.example/é", "http://b.example/x"]
    for key in keys:
        await keep(store, b"x", key=key)

    assert {one.key for one in await listing(store, "http://a.example/x")} == set(keys[:2])
    assert {one.key for one in await listing(store, "http://a.example/é")} == {keys[2]}
    assert {one.key for one in await listing(store, "http://a.example/x", exact=True)} == {keys[0]}
    assert await listing(store, "http://c.example/") == await listing(store, "http://a.example/", exact=True) == []


async def test_all_under_one_key_are_listed(store):
    kept = {(await keep(store, body)).id for body in (b"one", b"two")}

    assert {one.entry.id for one in await listing(store, KEY, exact=True)} == kept


async def test_what_is_removed_while_it_is_listed_does_not_stop_the_listing(store):
    for number in range(600):
        await keep(store, b"x", key=f"http://example.com/{number}")

    count = 0
    async for one in store.listed():
        count += 1
        await store.remove(one.entry.id)

    assert count == 600
    assert await listing(store) == []


async def test_several_are_removed_at_once(store):
    one, two, left = [await keep(store, b"x", key=key) for key in ("http://a/1", "http://a/2", "http://a/3")]

    await store.remove_all([one.id, "no id of ours", two.id])

    assert [listed.entry.id for listed in await listing(store)] == [left.id]
    assert await ids(store, "http://a/1") == set()
    assert await ids(store, "http://a/3") == {left.id}


async def test_what_one_removes_by_the_listing_the_other_uses_no_more(two):
    first, second = two
    kept = await keep(first, b"x")
    await arrive(second, kept)
    assert len(await first.entries(KEY)) == 1
    assert first.recall(KEY)

    await second.remove_all([listed.entry.id async for listed in second.listed()])

    async with asyncio.timeout(10):
        while await ids(first):  # Redis tells of changes a moment later
            await asyncio.sleep(0.001)


# What is invalidated on its way


async def kept_since(store, since: int | None, body: bytes = b"x") -> StoredEntry | None:
    writer = store.begin(KEY, entry(), None, since)
    await writer.write(body)
    committed = await writer.commit()
    await writer.aclose()
    return committed


@pytest.mark.parametrize("length", [1, MIB])
async def test_what_was_asked_for_before_an_invalidation_is_not_kept(store, length):
    since = store.moment(KEY)
    store.invalidate(KEY)

    assert await kept_since(store, since, b"x" * length) is None
    assert await store.entries(KEY) == []
    assert await kept_since(store, store.moment(KEY), b"x" * length) is not None
    assert len(await store.entries(KEY)) == 1


async def test_what_is_small_is_kept_in_one_call_or_not_touched(store):
    kept = store.keep_now(KEY, entry(), b"hello", store.moment(KEY))

    found = await store.entries(KEY)

    assert [one.body_length for one in found] == ([5] if kept else [])
    assert [await body_of(store, one) for one in found] == ([b"hello"] if kept else [])
    assert kept is not isinstance(store, RedisCacheStore)


async def test_nor_is_it_kept_in_one_call_what_was_invalidated_meanwhile(store):
    since = store.moment(KEY)
    store.invalidate(KEY)

    assert not store.keep_now(KEY, entry(), b"hello", since)
    assert await store.entries(KEY) == []


async def test_what_another_process_stores_meanwhile_is_no_reason_to_keep_nothing(two):
    first, second = two
    since = first.moment(KEY)
    kept = await kept_since(second, second.moment(KEY))
    await arrive(first, kept)

    assert await kept_since(first, since) is not None


async def test_what_another_process_invalidates_is_not_kept_either(two):
    first, second = two
    since = first.moment(KEY)
    second.invalidate(KEY)
    await until(lambda: first.moment(KEY) != since)

    assert await kept_since(first, since) is None
    assert await ids(first) == await ids(second) == set()


# Bodies


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("told", [True, False])
async def test_bodies_of_every_length_come_back_whole(store, length, told):
    body = noise(length)
    kept = await try_to_keep(store, *in_pieces(body), length=length if told else None)

    assert kept.body_length == length
    [found] = await store.entries(KEY)
    reader = await store.open_body(found)
    assert reader.length == found.body_length == length
    assert await read_all(reader) == body
    assert await reader.read() == b""
    assert reader.trailers == []


@pytest.mark.parametrize("size", [1, 7, 1000, 70_000, PIECE, PIECE + 1, 3 * MIB])
async def test_it_does_not_matter_in_what_pieces_a_body_comes(store, size):
    body = noise(min(2 * MIB + 17, size * 3000))
    kept = await keep(store, *in_pieces(body, size))

    assert await body_of(store, kept) == body


@pytest.mark.parametrize("length", [1, 16 * KIB, 64 * KIB + 1, MIB + 1])
async def test_any_span_of_a_body_can_be_read(store, length):
    body = noise(length)
    kept = await keep(store, *in_pieces(body))
    borders = {0, 1, length // 2, length - 1, length, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE - 1, 2 * PIECE}
    offsets = sorted(offset for offset in borders if 0 <= offset <= length)
    for start in offsets:
        for end in offsets:
            if start < end:
                reader = await store.open_body(kept, Span(start, end))
                assert reader.length == end - start
                assert await read_all(reader) == body[start:end]
                await reader.aclose()


async def test_a_body_at_hand_is_the_whole_body(store):
    body = noise(100_000)
    kept = await keep(store, *in_pieces(body))
    [found] = await store.entries(KEY)
    await body_of(store, found)

    assert store.body_at_hand(found) == body
    await store.remove(kept.id)
    assert store.body_at_hand(found) is None


async def test_a_body_may_be_read_by_several_at_the_same_time(store):
    body = noise(3 * MIB)
    kept = await keep(store, *in_pieces(body))

    assert await asyncio.gather(*(body_of(store, kept) for _ in range(8))) == [body] * 8


async def test_a_body_that_is_closed_gives_nothing_more(store):
    kept = await keep(store, *in_pieces(noise(MIB)))
    reader = await store.open_body(kept)
    await reader.read()

    await reader.aclose()
    await reader.aclose()


@pytest.mark.parametrize("length", [10_000, 3 * MIB])
async def test_a_slow_reader_gets_the_whole_body_of_an_entry_that_is_removed(store, length):
    body = noise(length)
    kept = await keep(store, *in_pieces(body))
    reader = await store.open_body(kept)
    begun = await reader.read()

    await store.remove(kept.id)
    await keep(store, b"another")

    assert begun + await read_all(reader) == body


async def test_the_body_of_an_entry_that_is_gone_is_refused_at_once(store):
    for length in (10, 3 * MIB):
        kept = await keep(store, *in_pieces(noise(length)))
        await store.remove(kept.id)
        with pytest.raises(CacheStoreError):
            await store.open_body(kept)
    with pytest.raises(CacheStoreError):
        await store.open_body(StoredEntry("0" * 32, kept.request, kept.response, 0, 0))


# Writing


@pytest.mark.parametrize("length", [3, 200_000, 2 * MIB])
async def test_an_entry_is_visible_when_it_is_committed_and_not_before(store, length):
    writer = store.begin(KEY, entry(), length)
    for piece in in_pieces(noise(length)):
        assert await writer.write(piece)
    assert await store.entries(KEY) == []
    assert store.recall(KEY) in ([], None)

    kept = await writer.commit()

    assert await ids(store) == {kept.id}
    await writer.aclose()
    assert await ids(store) == {kept.id}


@pytest.mark.parametrize("length", [0, 3, 200_000, 2 * MIB])
async def test_what_is_not_committed_leaves_nothing(store, length):
    writer = store.begin(KEY, entry(), None)
    for piece in in_pieces(noise(length)):
        assert await writer.write(piece)

    await writer.aclose()
    await writer.aclose()

    assert await store.entries(KEY) == []
    assert store.stats() == (0, 0)
    assert not await writer.write(b"more")
    assert await writer.commit() is None


async def test_an_empty_piece_is_not_the_end(store):
    kept = await keep(store, b"a", b"", b"b")

    assert await body_of(store, kept) == b"ab"


async def test_who_follows_a_writer_reads_what_is_written_so_far(store):
    body = noise(2 * MIB + 5)
    writer = store.begin(KEY, entry(), None)
    assert await writer.read(0) == b""
    seen = b""
    for piece in in_pieces(body, 100_000):
        await writer.write(piece)
        while data := await writer.read(len(seen)):
            seen += data
        assert seen == body[: len(seen)]
    assert seen == body

    await writer.commit()

    assert (await writer.read(0))[:10] == body[:10]
    middle = MIB + 3
    assert body[middle:].startswith(await writer.read(middle))
    assert await writer.read(len(body)) == b""
    await writer.aclose()


async def test_who_follows_reads_on_after_the_entry_was_removed(store):
    body = noise(MIB)
    writer = store.begin(KEY, entry(), None)
    for piece in in_pieces(body):
        await writer.write(piece)
    kept = await writer.commit()
    await store.remove(kept.id)

    seen = b""
    while data := await writer.read(len(seen)):
        seen += data

    assert seen == body
    await writer.aclose()


async def test_who_follows_a_writer_that_is_over_is_told(store):
    writer = store.begin(KEY, entry(), None)
    await writer.write(b"half")
    await writer.aclose()

    with pytest.raises(CacheStoreError):
        await writer.read(0)


async def test_a_body_known_to_be_too_large_is_not_begun(kind):
    store = await kind.open(max_entry_size=MIB)

    assert store.begin(KEY, entry(), MIB + 1) is None
    assert (await try_to_keep(store, noise(MIB), length=MIB)).body_length == MIB


async def test_a_body_that_turns_out_too_large_is_not_kept(kind):
    store = await kind.open(max_entry_size=MIB)
    writer = store.begin(KEY, entry(), None)
    assert await writer.write(noise(MIB - 1))

    assert not await writer.write(b"12")

    with pytest.raises(CacheStoreError):
        await writer.read(0)
    assert await writer.commit() is None
    await writer.aclose()
    assert await store.entries(KEY) == []
    assert store.stats() == (0, 0)


async def test_hundreds_of_writers_of_one_key_do_not_mix(store):
    bodies = [b"%04d" % number * (500 if number % 10 else 20_000) for number in range(300)]

    kept = await asyncio.gather(*(keep(store, *in_pieces(body, 30_000)) for body in bodies))

    assert await ids(store) == {one.id for one in kept}
    assert await asyncio.gather(*(body_of(store, one) for one in kept)) == bodies


async def test_a_writer_that_is_cancelled_leaves_nothing(store):
    written = 0

    async def endless() -> None:
        nonlocal written
        writer = store.begin(KEY, entry(), None)
        try:
            while await writer.write(b"x" * 100_000):
                written += 100_000
                if written > 2 * MIB:
                    await asyncio.Event().wait()
        finally:
            await writer.aclose()

    task = asyncio.get_running_loop().create_task(endless())
    await until(lambda: written > 2 * MIB)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await store.entries(KEY) == []
    assert store.stats() == (0, 0)


# The bound


async def test_the_bound_holds_with_writes_under_way(kind):
    store = await kind.open(max_size=8 * MIB)
    for number in range(8):
        await keep(store, noise(MIB - 100 * KIB), key=f"http://example.com/{number}")
    writers = [store.begin(KEY, entry(), None) for _ in range(4)]
    for _ in range(4):
        for writer in writers:
            assert await writer.write(noise(MIB // 2))
            assert store.stats()[1] <= 8 * MIB
    for writer in writers:
        await writer.aclose()


async def test_a_write_that_finds_no_room_is_over(kind):
    store = await kind.open(max_size=4 * MIB)
    writers = [store.begin(KEY, entry(), None) for _ in range(4)]

    async def fill(writer) -> bool:
        return all([await writer.write(noise(PIECE)) for _ in range(6)]) and await writer.commit() is not None

    outcomes = [await fill(writer) for writer in writers]

    assert outcomes.count(True) >= 1
    assert store.stats()[1] <= 4 * MIB
    assert len(await store.entries(KEY)) <= 1
    for writer in writers:
        await writer.aclose()


async def test_the_least_recently_used_goes_first(kind):
    store = await kind.open(max_size=8 * MIB)
    keys = [f"http://example.com/{number}" for number in range(10)]
    for key in keys[:7]:
        await keep(store, noise(MIB), key=key)
    for key in keys[:2]:
        await store.entries(key)
    await store.entries(keys[2])
    store.recall(keys[2])

    for key in keys[7:]:
        await keep(store, noise(MIB), key=key)

    there = [number for number, key in enumerate(keys) if await store.entries(key)]
    assert set(there) >= {0, 1, 2, 7, 8, 9}
    assert 3 not in there
    assert store.stats()[1] <= 8 * MIB


async def test_an_evicted_body_is_read_to_its_end(kind):
    store = await kind.open(max_size=4 * MIB)
    body = noise(3 * MIB)
    reader = await store.open_body(await keep(store, *in_pieces(body)))
    begun = await reader.read()
    await keep(store, *in_pieces(noise(3 * MIB + 1)), key="http://other.example/")

    assert await store.entries(KEY) == []
    assert begun + await read_all(reader) == body


async def test_a_smaller_bound_evicts_at_once(kind):
    store = await kind.open()
    for number in range(30):
        await keep(store, noise(MIB), key=f"http://example.com/{number}")

    await store.set_max_size(5 * MIB)

    assert store.stats()[1] <= 5 * MIB
    assert await store.entries("http://example.com/0") == []
    assert len(await store.entries("http://example.com/29")) == 1
    assert store.begin(KEY, entry(), 5 * MIB + 1) is None


async def test_many_small_entries_are_bounded_too(kind):
    store = await kind.open(max_size=MIB)
    for number in range(2000):
        assert await try_to_keep(store, b"", key=f"http://example.com/{number}")

    assert store.stats()[1] <= MIB
    await until(lambda: store.stats()[0] < 2000)
    assert store.stats()[1] <= MIB


async def test_statistics_count_entries_and_bytes(store):
    await keep(store, noise(1000))
    entries, size = store.stats()
    second = await keep(store, noise(3 * MIB))

    assert entries == 1
    assert store.stats()[0] == 2
    assert 3 * MIB <= store.stats()[1] - size <= 3 * MIB + 100 * KIB
    await store.remove(second.id)
    assert store.stats() == (entries, size)


# Freshening and removing


@pytest.mark.parametrize("length", [4, 200_000, 2 * MIB])
async def test_a_freshened_entry_has_a_new_head_and_the_same_body(store, length):
    body = noise(length)
    kept = await keep(store, *in_pieces(body))
    await store.entries(KEY)
    new = replace(kept, response=replace(kept.response, fields=fields("New: 1")), response_time=2000.0)

    await store.freshen(new)

    [found] = await store.entries(KEY)
    assert found == new
    assert [one.response_time for one in store.recall(KEY) or [found]] == [2000.0]
    for either in (found, kept, new):
        assert await body_of(store, either) == body


async def test_freshening_changes_neither_length_nor_siblings(store):
    first, second = await keep(store, b"first"), await keep(store, b"second")
    before = {one.id: one for one in await store.entries(KEY)}

    await store.freshen(replace(first, response_time=9.0, body_length=None))

    after = {one.id: one for one in await store.entries(KEY)}
    assert after[first.id] == replace(first, response_time=9.0, body_length=5)
    assert after[second.id] is before[second.id]


async def test_freshening_what_is_gone_brings_nothing_back(store):
    kept = await keep(store, b"x")
    await store.remove(kept.id)

    await store.freshen(kept)
    await store.freshen(replace(kept, id="0" * 32))

    assert await store.entries(KEY) == []
    assert store.stats() == (0, 0)


async def test_a_removed_entry_is_not_found_and_others_are(store):
    first, second = await keep(store, b"first"), await keep(store, b"second")
    await store.entries(KEY)

    await store.remove(first.id)
    await store.remove(first.id)
    await store.remove("nonsense")

    assert store.recall(KEY) is None or {one.id for one in store.recall(KEY)} == {second.id}
    assert await ids(store) == {second.id}


# Stores that share


async def test_what_one_stores_the_other_finds(two):
    one, other = two
    await one.entries(KEY)
    assert await other.entries(KEY) == []
    body = noise(2 * MIB)
    kept = await keep(one, *in_pieces(body))

    assert await other.entries(KEY) == [kept]
    assert await body_of(other, kept) == body


async def test_what_one_removes_is_gone_for_the_other(two):
    one, other = two
    kept = await keep(one, b"x")
    await arrive(other, kept)
    assert len(await other.entries(KEY)) == 1

    await one.remove(kept.id)

    await until(lambda: not other.recall(KEY))
    assert await other.entries(KEY) == []
    assert other.body_at_hand(kept) is None


async def test_what_one_freshens_the_other_has_fresh(two):
    one, other = two
    kept = await keep(one, b"x")
    await arrive(other, kept)
    [before] = await other.entries(KEY)

    await one.freshen(replace(kept, response_time=2000.0))

    await until(lambda: other.recall(KEY) != [before])
    assert [found.response_time for found in await other.entries(KEY)] == [2000.0]
    assert await body_of(other, before) == b"x"


async def test_what_one_adds_the_other_sees_beside_what_it_knows(two):
    one, other = two
    first = await keep(one, b"first")
    await arrive(other, first)
    assert await ids(other) == {first.id}

    second = await keep(one, b"second")

    await until(lambda: len(other.recall(KEY) or []) != 1)
    assert await ids(other) == {first.id, second.id}


async def test_both_keep_to_one_bound(shared):
    one, other = await shared.open(max_size=8 * MIB), await shared.open(max_size=8 * MIB)
    for number in range(8):
        await keep(one, noise(MIB), key=f"http://one.example/{number}")
        await keep(other, noise(MIB), key=f"http://other.example/{number}")

    await until(lambda: one.stats() == other.stats())
    assert MIB < one.stats()[1] <= 8 * MIB


async def test_what_was_kept_is_there_when_the_store_is_opened_again(shared):
    first = await shared.open()
    body = noise(2 * MIB)
    kept = await keep(first, *in_pieces(body))
    await first.aclose()

    second = await shared.open()

    assert await second.entries(KEY) == [kept]
    assert await body_of(second, kept) == body


_HALF_WAY = """
import asyncio, sys
from support.cache_entries import KEY, entry
from support.cache_stores import MIB, make_store

async def main():
    store = make_store(sys.argv[1], sys.argv[2], max_size=100 * MIB, max_entry_size=8 * MIB)
    await store.entries(KEY)
    small, large = store.begin(KEY, entry(), None), store.begin(KEY, entry(), None)
    await small.write(b"x" * 1000)
    for _ in range(3):
        await large.write(b"y" * MIB)
    print("half way", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_process_that_is_killed_half_way_leaves_nothing_that_is_seen(shared):
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", _HALF_WAY, shared.name, shared.place],
        env={"PYTHONPATH": f"{root / 'src'}:{root / 'tests'}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half way\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()

    store = await shared.open(max_size=4 * MIB)

    assert await store.entries(KEY) == []
    for number in range(4):
        assert await try_to_keep(store, *in_pieces(noise(3 * MIB)), key=f"http://example.com/{number}")
    assert len(await store.entries("http://example.com/3")) == 1


# Any sequence


class Model:
    """A store and a dict that should agree with it."""

    def __init__(self, store) -> None:
        self._store = store
        self._kept: dict[str, dict[str, tuple[StoredEntry, bytes]]] = {}

    async def put(self, key: str, length: int, seed: int) -> None:
        body = random.Random(seed).randbytes(length)
        kept = await keep(self._store, *in_pieces(body, 1 + seed * 997), key=key)
        self._kept.setdefault(key, {})[kept.id] = (kept, body)

    async def give_up(self, key: str, length: int, seed: int) -> None:
        writer = self._store.begin(key, entry(), None)
        await writer.write(random.Random(seed).randbytes(length))
        await writer.aclose()

    async def freshen(self, key: str, length: int, seed: int) -> None:
        for entry_id, (kept, body) in list(self._kept.get(key, {}).items())[: seed % 3]:
            new = replace(kept, response_time=float(length))
            await self._store.freshen(new)
            self._kept[key][entry_id] = (new, body)

    async def remove(self, key: str, _length: int, seed: int) -> None:
        for entry_id in list(self._kept.get(key, {}))[: seed % 3]:
            await self._store.remove(entry_id)
            del self._kept[key][entry_id]

    async def read(self, key: str, length: int, seed: int) -> None:
        for kept, body in self._kept.get(key, {}).values():
            if seed < len(body):
                end = min(len(body), seed + 1 + length)
                assert await body_of(self._store, kept, Span(seed, end)) == body[seed:end]

    async def check(self, key: str) -> None:
        expected = {entry_id: kept for entry_id, (kept, _) in self._kept.get(key, {}).items()}
        recalled = self._store.recall(key)
        assert recalled is None or {one.id: one for one in recalled} == expected
        assert {one.id: one for one in await self._store.entries(key)} == expected
        for kept, body in self._kept.get(key, {}).values():
            assert self._store.body_at_hand(kept) in (None, body)
            assert await body_of(self._store, kept) == body


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "give_up", "freshen", "remove", "read"]),
        st.sampled_from(["http://a.example/", "http://a.example/?{b}", "http://c.example/\udc80"]),
        st.sampled_from([0, 1, 1000, 16 * KIB, 16 * KIB + 1, 100_000, PIECE + 1]),
        st.integers(0, 50),
    ),
    max_size=12,
)


@pytest.mark.parametrize("name", KINDS)
def test_any_sequence_of_changes_leaves_what_a_dict_would_have(name, request):
    server = request.getfixturevalue("shared_redis") if name == "redis" else None

    @settings(max_examples=25, deadline=None)
    @given(steps=_STEPS)
    def run(steps):
        asyncio.run(follow(steps))

    async def follow(steps) -> None:
        with tempfile.TemporaryDirectory() as directory:
            kind = Kind(name, Path(directory), server)
            model = Model(await kind.open())
            for word, key, length, seed in steps:
                await getattr(model, word)(key, length, seed)
                await model.check(key)
            await kind.aclose()

    run()
