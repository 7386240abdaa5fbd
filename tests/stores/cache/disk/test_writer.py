import asyncio
import contextlib
import os
import sqlite3

import pytest

from sluicegate.clock import ManualClock
from sluicegate.stores.cache.disk import writer
from sluicegate.stores.cache.disk.board import CHANGING, OCCUPIED, open_board
from sluicegate.stores.cache.disk.bodies import BodyFiles
from sluicegate.stores.cache.disk.changes import Bound, Ground, Put, Remove, Reserve, Resize, Totals
from sluicegate.stores.cache.disk.database import LOG_BYTES, connect
from sluicegate.stores.cache.disk.faults import Replaced
from sluicegate.stores.cache.disk.ids import Ids
from sluicegate.stores.cache.disk.lock import FileLock
from sluicegate.stores.cache.disk.owners import Owners
from sluicegate.stores.cache.disk.schema import migrate
from sluicegate.stores.cache.disk.writer import MAX_WAITING, Writer
from sluicegate.stores.cache.shelves import NEVER, Shelf

MIB = 2**20


class Bench:
    """A writer and all that it stands on."""

    def __init__(self, directory, stack):
        self.path = directory / "x.db"
        self.db = stack.enter_context(contextlib.closing(connect(self.path)))
        migrate(self.db, now=0.0)
        self.look = stack.enter_context(contextlib.closing(connect(self.path)))
        self.board, _ = open_board(directory / "board", boot="", generation=1, max_size=MIB)
        stack.enter_context(contextlib.closing(self.board))
        owners = stack.enter_context(contextlib.closing(Owners(directory / "owners")))
        self.files = BodyFiles(directory, 1)
        self.lock = stack.enter_context(contextlib.closing(FileLock(directory / "lock")))
        self.others_lock = stack.enter_context(contextlib.closing(FileLock(directory / "lock")))
        self.faults = []
        ground = Ground(self.db, self.board, self.files, owners, Ids(1), Bound(100 * MIB), ManualClock(), list)
        self.writer = Writer(
            ground, self.lock, self.path, Totals(), loop=asyncio.get_running_loop(), on_fault=self.faults.append
        )

    def there(self):
        return [number for (number,) in self.look.execute("SELECT id FROM entry ORDER BY id")]


@pytest.fixture
async def bench(tmp_path):
    with contextlib.ExitStack() as stack:
        made = Bench(tmp_path, stack)
        yield made
        await made.writer.aclose()


def put(number, *, body=b"x", shelf=None):
    return Put(number, b"key", number << 16, 1, b"head", 0, 0, number, len(body), body, number, shelf)


async def test_what_is_made_is_on_disk_and_counted(bench):
    for number in range(1, 1000):
        bench.writer.post(put(number))
    assert bench.writer.entries_waiting == 999
    assert await bench.writer.make(Remove(500))

    assert bench.there() == [number for number in range(1, 1000) if number != 500]
    assert bench.writer.totals.entries == 998
    assert (bench.writer.entries_waiting, bench.writer.bytes_waiting, bench.writer.waiting) == (0, 0, 0)


async def posted(bench, number, **options):
    made = asyncio.get_running_loop().create_future()
    bench.writer.post(put(number, **options), made.set_result)
    assert await asyncio.wait_for(made, 10)


async def test_a_change_after_a_pause_is_made_at_once_and_those_that_follow_it_together(bench, monkeypatch):
    monkeypatch.setattr(writer, "GATHER_S", 0.5)
    await posted(bench, 1)
    made = asyncio.get_running_loop().create_future()
    for number in range(2, 100):
        bench.writer.post(put(number), lambda _: None if made.done() else made.set_result(None))
        await asyncio.sleep(0)

    assert bench.there() == [1]
    await made
    assert len(bench.there()) == 99


@pytest.mark.parametrize("hurried", [False, True])
async def test_what_is_much_or_hurried_does_not_wait_for_more(bench, monkeypatch, hurried):
    monkeypatch.setattr(writer, "GATHER_S", 3600.0)
    await posted(bench, 7)
    made = asyncio.get_running_loop().create_future()
    bench.writer.post(put(1, body=bytes(100 if hurried else 2 * MIB)), made.set_result)
    if hurried:
        bench.writer.hurry()

    assert await asyncio.wait_for(made, 10)
    assert bench.there() == [1, 7]


async def test_closing_makes_what_was_posted_and_takes_nothing_more(bench):
    told = []
    for number in range(1, 1000):
        bench.writer.post(put(number), told.append)

    await bench.writer.aclose()
    await bench.writer.aclose()

    assert told == [True] * 999
    assert len(bench.there()) == 999
    assert not await bench.writer.make(put(5000))


async def test_who_puts_too_much_waits(bench):
    with bench.others_lock.held():
        for number in range(1, 19):
            bench.writer.post(put(number, body=bytes(MIB)))
        assert bench.writer.waiting > MAX_WAITING
        waiting = asyncio.get_running_loop().create_task(bench.writer.room())
        await asyncio.sleep(0)
        assert not waiting.done()

    await waiting
    assert bench.writer.waiting <= MAX_WAITING


async def test_the_board_tells_others_and_a_shelf_with_the_change_stays_current(bench):
    place = bench.board.place(1 << 16)
    shelf = Shelf("key", place)
    shelf.stamp = bench.board.slots[place]

    await bench.writer.make(put(1, shelf=shelf))

    assert bench.board.slots[place] & 3 == OCCUPIED
    assert shelf.stamp == bench.board.slots[place]
    assert shelf.own == NEVER
    before = shelf.stamp
    await bench.writer.make(Remove(1))
    assert bench.board.slots[place] & 3 == 0
    assert bench.board.slots[place] != before == shelf.stamp


async def test_a_shelf_that_was_not_current_does_not_become_so(bench):
    place = bench.board.place(1 << 16)
    shelf = Shelf("key", place)
    bench.board.slots[place] = 64 | OCCUPIED

    await bench.writer.make(put(1, shelf=shelf))

    assert shelf.stamp == NEVER


async def test_a_slot_that_a_dead_process_left_in_flux_is_settled_by_the_next_change(bench):
    place = bench.board.place(1 << 16)
    bench.board.slots[place] = dead = bench.board.in_flux(place)

    await bench.writer.make(put(1))

    assert not bench.board.slots[place] & CHANGING
    assert bench.board.slots[place] not in (dead, dead & ~CHANGING)


async def test_the_file_of_a_removed_entry_is_gone_when_that_is_told(bench):
    assert await bench.writer.make(Reserve(7, 1))
    os.close(bench.files.create(7))
    bench.writer.post(Put(7, b"key", 1, 1, b"", 0, 0, 0, 0, None, 0))

    await bench.writer.make(Remove(7))

    assert bench.files.ids() == []


async def test_eviction_goes_on_while_nothing_else_happens(bench):
    for number in range(1, 2001):
        bench.writer.post(put(number))
    await bench.writer.make(Resize(2000 * put(1).size - 1))
    async with asyncio.timeout(10):
        while bench.writer.totals.entries > 1940:
            await asyncio.sleep(0.001)


async def test_a_change_that_cannot_be_made_is_told_and_the_next_one_is_made(bench):
    await bench.writer.make(put(1))

    assert not await bench.writer.make(put(1))

    assert isinstance(bench.faults[0], sqlite3.IntegrityError)
    assert await bench.writer.make(put(2))
    assert bench.there() == [1, 2]


async def test_removals_are_made_even_if_what_was_to_be_added_fails(bench):
    bench.writer.post(put(1))
    await bench.writer.make(put(2))
    with bench.others_lock.held():
        bench.writer.post(put(2))
        removed = asyncio.get_running_loop().create_task(bench.writer.make(Remove(1)))
        await asyncio.sleep(0)

    assert await removed
    assert bench.there() == [2]


async def test_a_removal_that_fails_is_made_up_for(bench):
    await bench.writer.make(put(1))
    bench.look.execute("CREATE TRIGGER no BEFORE DELETE ON entry BEGIN SELECT RAISE(FAIL, 'not now'); END")
    assert not await bench.writer.make(Remove(1))
    assert bench.writer.owes
    bench.look.execute("DROP TRIGGER no")

    await bench.writer.make(put(2))

    assert bench.there() == [2]
    assert not bench.writer.owes


@pytest.mark.parametrize("name", ["x.db", "board", "lock"])
async def test_files_that_were_removed_under_it_are_noticed(bench, tmp_path, name):
    (tmp_path / name).unlink()

    assert not await bench.writer.make(put(1))

    assert isinstance(bench.faults[0], Replaced)


async def test_the_log_stays_small_however_small_the_changes_are(bench):
    for number in range(1, 600):
        await bench.writer.make(put(number))

    assert bench.path.with_name("x.db-wal").stat().st_size < LOG_BYTES + MIB


async def test_the_log_is_moved_into_the_database_now_and_then(bench):
    for number in range(1, 200):
        bench.writer.post(put(number, body=bytes(60_000)))
    await bench.writer.make(Remove(1))
    await bench.writer.make(Remove(2))

    assert bench.path.stat().st_size > 5 * MIB
