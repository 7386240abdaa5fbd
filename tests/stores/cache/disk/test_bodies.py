import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.disk.bodies import FIRST_CHUNK, BodyFiles, FileBody, Share, close_file, write_all
from support.messages import read_all

MIB = 2**20


@pytest.fixture
def files(tmp_path):
    return BodyFiles(tmp_path, 5)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as made:
        yield made


def stored(files, entry_id, body):
    handle = files.create(entry_id)
    write_all(handle, [body], 0)
    os.close(handle)


def share():
    return Share(8 * MIB, smallest=16 * 1024, largest=MIB)


def is_open(handle):
    try:
        os.fstat(handle)
    except OSError:
        return False
    return True


class Lost:
    told = 0

    def __call__(self):
        self.told += 1


def reading(files, pool, entry_id, length, *, start=0, end=None, sizes=None, gone=None):
    handle = files.open(entry_id, length)
    end = length if end is None else end
    return FileBody(handle, start, end, pool=pool, share=sizes or share(), gone=gone or Lost())


def test_a_file_is_private_and_made_once(files, tmp_path):
    os.close(files.create(300))

    with pytest.raises(FileExistsError):
        files.create(300)
    path = files.path(300)
    assert path.stat().st_mode & 0o777 == 0o600
    assert {parent.stat().st_mode & 0o777 for parent in (path.parent, path.parent.parent)} == {0o700}
    assert files.ids() == [300]


def test_a_file_that_is_short_or_gone_is_refused(files):
    stored(files, 1, b"x" * 100)

    with pytest.raises(CacheStoreError, match="100 bytes instead of 101"):
        files.open(1, 101)
    files.delete(1)
    files.delete(1)
    with pytest.raises(CacheStoreError, match="cannot be opened"):
        files.open(1, 100)


def test_files_of_other_databases_are_deleted(files, tmp_path):
    stored(files, 1, b"x")
    other = BodyFiles(tmp_path, 6)
    stored(other, 1, b"y")

    files.delete_strangers()

    assert files.ids() == [1]
    assert other.ids() == []


def test_pieces_are_written_where_they_belong_however_many(files):
    handle = files.create(1)
    pieces = [b"%d," % number for number in range(500)]

    write_all(handle, pieces, 0)
    write_all(handle, [b"end"], sum(map(len, pieces)))

    os.close(handle)
    assert files.path(1).read_bytes() == b"".join(pieces) + b"end"


@pytest.mark.parametrize(("start", "end"), [(0, 5 * MIB + 3), (0, 1), (MIB - 1, MIB + 1), (5 * MIB, 5 * MIB + 3)])
async def test_a_body_or_a_span_of_it_is_read_in_order(files, pool, start, end):
    body = os.urandom(5 * MIB + 3)
    stored(files, 1, body)

    reader = reading(files, pool, 1, len(body), start=start, end=end)

    assert reader.length == end - start
    assert await read_all(reader) == body[start:end]
    assert await reader.read() == b""
    await reader.aclose()


async def test_the_first_piece_is_small_and_the_others_are_not(files, pool):
    stored(files, 1, bytes(8 * MIB))
    reader = reading(files, pool, 1, 8 * MIB)

    sizes = [len(await reader.read()) for _ in range(5)]

    assert sizes == [FIRST_CHUNK, 4 * FIRST_CHUNK, MIB, MIB, MIB]
    await reader.aclose()


async def test_pieces_are_small_while_many_read(files, pool):
    stored(files, 1, bytes(8 * MIB))
    sizes = share()
    readers = [reading(files, pool, 1, 8 * MIB, sizes=sizes) for _ in range(64)]
    for _ in range(3):
        pieces = [await reader.read() for reader in readers]

    assert sum(map(len, pieces)) <= 8 * MIB
    for reader in readers:
        await reader.aclose()
    assert sizes.each == MIB


async def test_a_file_that_shrinks_while_it_is_read_is_an_error_and_told(files, pool):
    stored(files, 1, bytes(MIB))
    gone = Lost()
    reader = reading(files, pool, 1, MIB, gone=gone)
    await reader.read()
    os.truncate(files.path(1), FIRST_CHUNK)

    with pytest.raises(CacheStoreError, match="early"):
        await read_all(reader)
    assert gone.told == 1
    await reader.aclose()


async def test_a_deleted_file_is_read_to_its_end(files, pool):
    stored(files, 1, b"x" * MIB)
    reader = reading(files, pool, 1, MIB)

    files.delete(1)

    assert await read_all(reader) == b"x" * MIB


async def test_a_read_that_is_cancelled_loses_nothing_and_closing_waits_for_it(files, pool):
    body = os.urandom(MIB)
    stored(files, 1, body)
    reader = reading(files, pool, 1, MIB)
    task = asyncio.get_running_loop().create_task(reader.read())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await read_all(reader) == body


async def test_a_closed_body_gives_nothing_and_its_file_is_closed(files, pool):
    stored(files, 1, bytes(MIB))
    handle = files.open(1, MIB)
    reader = FileBody(handle, 0, MIB, pool=pool, share=share(), gone=Lost())
    await reader.read()

    await reader.aclose()
    await reader.aclose()

    assert await reader.read() == b""
    async with asyncio.timeout(10):
        while is_open(handle):  # until the read ahead is through
            await asyncio.sleep(0.001)


async def test_a_store_that_was_closed_is_told_to_who_reads_on(files):
    stored(files, 1, bytes(MIB))
    pool = ThreadPoolExecutor(1)
    reader = reading(files, pool, 1, MIB)
    pool.shutdown()

    with pytest.raises(CacheStoreError, match="closed"):
        await reader.read()
    await reader.aclose()


def test_a_file_is_closed_even_when_the_threads_are_gone(files):
    stored(files, 1, b"x")
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    handle = files.open(1, 1)

    close_file(pool, handle)

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)
