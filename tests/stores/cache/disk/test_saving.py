import asyncio
import contextlib
import os

import pytest

from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.disk.saving import INLINE
from support.cache_entries import KEY, entry
from support.cache_stores import MIB, body_of, keep, try_to_keep
from support.disk_store import body_files, database, opened, written


@pytest.fixture
async def store(tmp_path):
    async with opened(tmp_path) as made:
        yield made


async def test_small_bodies_are_in_the_database_and_larger_ones_in_files(store, tmp_path):
    await keep(store, bytes(INLINE))
    await written(store)
    assert body_files(tmp_path) == []

    await keep(store, bytes(INLINE + 1))

    [path] = body_files(tmp_path)
    assert path.stat().st_size == INLINE + 1
    assert path.stat().st_mode & 0o777 == 0o600
    with database(tmp_path) as db:
        assert db.execute("SELECT length(data) FROM body").fetchall() == [(INLINE,)]
        assert db.execute("SELECT count(*) FROM loose").fetchone() == (0,)


async def test_a_body_of_another_length_than_was_told_is_not_kept(store, tmp_path):
    assert await try_to_keep(store, b"12345", length=6) is None
    assert await try_to_keep(store, b"12345", length=4) is None
    assert await try_to_keep(store, bytes(MIB), length=2 * MIB) is None

    await written(store)
    assert store.stats() == (0, 0)
    assert body_files(tmp_path) == []


async def test_room_is_reserved_before_anything_is_written(store):
    writer = store.begin(KEY, entry(), 5 * MIB)
    for _ in range(20):
        await writer.write(bytes(MIB // 4 - 100))

    assert store.stats() == (0, 5 * MIB)
    await writer.aclose()
    assert store.stats() == (0, 0)


async def test_a_file_that_was_given_up_is_deleted(store, tmp_path):
    writer = store.begin(KEY, entry(), None)
    for _ in range(10):
        await writer.write(bytes(MIB // 2))
    assert len(body_files(tmp_path)) == 1

    await writer.aclose()

    assert body_files(tmp_path) == []


async def test_who_is_cancelled_while_committing_leaves_a_whole_entry_or_none(store):
    for turns in range(12):
        key = f"{KEY}{turns}"
        writer = store.begin(key, entry(), None)
        for _ in range(3):
            await writer.write(bytes(MIB))
        task = asyncio.get_running_loop().create_task(writer.commit())
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await writer.aclose()
        await written(store)

        for found in await store.entries(key):
            assert await body_of(store, found) == bytes(3 * MIB)
        assert store._disk.writer.totals.reserved == 0


async def test_a_file_that_cannot_be_made_ends_the_storing_and_is_told_once(store, tmp_path):
    await keep(store, bytes(MIB))
    for number in range(256):
        directory = next(tmp_path.glob("bodies-*")) / f"{number:02x}"
        if not directory.exists():
            directory.write_text("in the way")

    assert await try_to_keep(store, *[bytes(MIB)] * 3) is None
    assert await try_to_keep(store, *[bytes(MIB)] * 3) is None

    assert [notice.event for notice in store._events.told] == ["cache_store_failed"]
    assert len(await store.entries(KEY)) == 1


async def test_who_reads_what_is_being_written_finds_it_in_file_and_memory(store):
    body = os.urandom(4 * MIB)
    writer = store.begin(KEY, entry(), None)
    for start in range(0, len(body), 100_000):
        await writer.write(body[start : start + 100_000])
    for start in (0, 5, MIB, 2 * MIB, len(body) - 5):
        piece = await writer.read(start)
        assert piece
        assert body[start:].startswith(piece)
    assert await writer.read(len(body)) == b""
    await writer.aclose()
    with pytest.raises(CacheStoreError):
        await writer.read(0)


async def test_memory_for_pieces_is_shared_by_all_who_write(store):
    writers = [store.begin(f"{KEY}{number}", entry(), None) for number in range(64)]
    for _ in range(8):
        await asyncio.gather(*(writer.write(bytes(60_000)) for writer in writers))

    gathered = sum(len(writer._gathered) + len(writer._file.writing) for writer in writers)
    assert gathered <= 32 * MIB
    await asyncio.gather(*(writer.aclose() for writer in writers))
    assert store._means.share.each == MIB


async def test_where_the_length_is_not_known_room_is_reserved_as_the_body_grows(tmp_path):
    async with opened(tmp_path, max_size=32 * MIB) as store:
        writer = store.begin(KEY, entry(), None)
        for _ in range(20):
            assert await writer.write(bytes(MIB))
            assert sum(path.stat().st_size for path in body_files(tmp_path)) <= store.stats()[1]

        assert 19 * MIB <= store.stats()[1] <= 22 * MIB
        await writer.aclose()


# What was invalidated while it was on its way


async def two_processes(directory, stack):
    first = await stack.enter_async_context(opened(directory))
    return first, await stack.enter_async_context(opened(directory))


async def stored_after(first, since, body: bytes):
    writer = first.begin(KEY, entry(), None, since)
    assert await writer.write(body)
    committed = await writer.commit()
    await writer.aclose()
    await written(first)
    return committed


@pytest.mark.parametrize("length", [10, 300_000])
async def test_what_another_process_has_invalidated_meanwhile_is_not_kept(tmp_path, length):
    async with contextlib.AsyncExitStack() as stack:
        first, second = await two_processes(tmp_path, stack)
        since = first.moment(KEY)
        second.invalidate(KEY)

        assert await stored_after(first, since, b"x" * length) is None
        assert await first.entries(KEY) == await second.entries(KEY) == []
        assert await stored_after(first, first.moment(KEY), b"x" * length) is not None
        assert len(await second.entries(KEY)) == 1


async def test_what_is_invalidated_before_it_is_on_disk_goes_when_it_is(tmp_path):
    async with contextlib.AsyncExitStack() as stack:
        first, second = await two_processes(tmp_path, stack)
        writer = first.begin(KEY, entry(), None, first.moment(KEY))
        await writer.write(b"x")
        assert await writer.commit() is not None
        second.invalidate(KEY)
        await written(first)

        assert await first.entries(KEY) == await second.entries(KEY) == []


async def test_other_keys_are_kept(tmp_path):
    async with contextlib.AsyncExitStack() as stack:
        first, second = await two_processes(tmp_path, stack)
        since = first.moment(KEY)
        second.invalidate(KEY + "other")

        assert await stored_after(first, since, b"x") is not None
