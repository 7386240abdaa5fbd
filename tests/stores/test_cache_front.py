import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sluicegate.clock import ManualClock
from sluicegate.stores.cache_disk import DATABASE_NAME, DiskCacheStore
from sluicegate.stores.cache_front import FrontCacheStore
from support.cache_entries import KEY, body_of, entry, put
from support.messages import Body, fields, read_all

ROOT = Path(__file__).resolve().parents[2]
KIB = 1024


class CountingDisk(DiskCacheStore):
    """Counts what the front asks of it, and holds back writes while told to."""

    def __init__(self, directory: Path, **options) -> None:
        super().__init__(directory, events=Events(), **options)
        self.lookups = 0
        self.opened = 0
        self.stored = 0
        self.batches: list[int] = []
        self.writing = asyncio.Event()
        self.writing.set()
        self.broken = False

    async def entries(self, key):
        self.lookups += 1
        return await super().entries(key)

    async def open_body(self, entry):
        self.opened += 1
        return await super().open_body(entry)

    async def store(self, key, entry, body):
        self.stored += 1
        return await super().store(key, entry, body)

    async def apply(self, changes):
        await self.writing.wait()
        self.batches.append(len(changes))
        return [None] * len(changes) if self.broken else await super().apply(changes)


class Events:
    def emit(self, event) -> None:
        pass


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def disk(tmp_path, clock):
    return CountingDisk(tmp_path / "cache", clock=clock)


@pytest.fixture
async def make_front(disk, clock):
    made = []

    def make(**options) -> FrontCacheStore:
        made.append(FrontCacheStore(disk, clock=clock, **options))
        return made[-1]

    yield make
    disk.writing.set()
    for front in made:
        await front.aclose()


@pytest.fixture
async def front(make_front):
    return make_front()


@pytest.fixture
async def other(tmp_path, clock):
    """Another process's store on the same database, as far as SQLite can tell."""
    store = DiskCacheStore(tmp_path / "cache", events=Events(), clock=clock)
    yield store
    await store.aclose()


async def hit(front, key: str = KEY) -> bytes:
    [found] = await front.entries(key)
    return await body_of(front, found)


async def test_a_hot_entry_costs_no_disk(front, disk):
    await put(front, b"hot")
    await front.flush()
    lookups = disk.lookups

    assert [await hit(front) for _ in range(5)] == [b"hot"] * 5

    assert (disk.lookups, disk.opened) == (lookups, 0)


async def test_an_entry_is_read_from_disk_once(disk, front, other):
    await put(other, b"on disk")

    assert [await hit(front) for _ in range(3)] == [b"on disk"] * 3

    assert (disk.lookups, disk.opened) == (1, 1)


async def test_a_complete_entry_is_there_before_it_is_on_disk(front, disk, other):
    disk.writing.clear()

    await put(front, b"at once")

    assert await hit(front) == b"at once"
    assert front.stats()[0] == 1
    assert await other.entries(KEY) == []

    disk.writing.set()
    await front.flush()
    [written] = await other.entries(KEY)
    assert await body_of(other, written) == b"at once"
    assert front.stats()[0] == 1


async def test_what_is_waiting_is_written_together(front, disk):
    disk.writing.clear()
    for number in range(20):
        await put(front, b"x", key=str(number))
    disk.writing.set()
    await front.flush()

    assert disk.batches in ([1, 19], [20])


async def test_closing_writes_what_is_waiting(make_front, disk, other):
    front = make_front()
    disk.writing.clear()
    await put(front, b"late")
    closing = asyncio.get_running_loop().create_task(front.aclose())
    await asyncio.sleep(0)
    disk.writing.set()
    await closing

    [written] = await other.entries(KEY)
    assert await body_of(other, written) == b"late"


async def test_when_too_much_waits_the_reader_waits_too(make_front, disk):
    front = make_front(max_waiting=100 * KIB)
    disk.writing.clear()
    await put(front, b"x" * 100 * KIB, key="first")

    reader = await front.store("second", entry(), Body(b"y" * KIB, length=KIB))
    await reader.read()
    end = asyncio.get_running_loop().create_task(reader.read())
    await asyncio.sleep(0)
    assert not end.done()

    disk.writing.set()
    assert await end == b""


async def test_a_change_by_another_process_is_seen_at_the_next_use(front, other):
    await put(front, b"kept", key="other")
    mine = await put(front, b"mine")
    await front.flush()

    await other.freshen(replace(mine, response=replace(mine.response, fields=fields("New: 1"))))
    [found] = await front.entries(KEY)
    assert found.response.fields == fields("New: 1")

    await put(other, b"theirs")
    found = await front.entries(KEY)
    assert {await body_of(front, one) for one in found} == {b"mine", b"theirs"}

    for one in found:
        await other.remove(one.id)
    assert await front.entries(KEY) == []


async def test_a_change_elsewhere_costs_no_lookup(front, disk, other):
    await put(front, b"mine")
    await front.flush()
    await hit(front)
    lookups = disk.lookups
    await put(other, b"theirs", key="http://example.com/other")

    assert await hit(front) == b"mine"

    assert (disk.lookups, disk.opened) == (lookups, 0)


async def test_what_another_process_adds_while_ours_is_under_way_is_found_too(front, disk, other):
    await put(other, b"theirs")
    disk.writing.clear()
    reader = await front.store(KEY, entry(), Body(b"ours"))
    await read_all(reader)

    found = await front.entries(KEY)

    assert {await body_of(front, one) for one in found} == {b"ours", b"theirs"}


async def test_what_reaches_the_disk_while_the_key_is_looked_up_there_is_not_lost(front, disk, other, monkeypatch):
    await put(other, b"theirs")
    disk.writing.clear()
    await read_all(await front.store(KEY, entry(), Body(b"ours")))
    look_up = disk.entries

    async def slow(key):
        found = await look_up(key)
        disk.writing.set()
        await front.flush()
        return found

    monkeypatch.setattr(disk, "entries", slow)
    found = await front.entries(KEY)

    assert {await body_of(front, one) for one in found} == {b"ours", b"theirs"}


async def test_a_removal_is_on_disk_when_it_returns(front, other):
    stored = await put(front, b"x")

    await front.remove(stored.id)

    assert await front.entries(KEY) == []
    assert await other.entries(KEY) == []


async def test_an_entry_removed_before_it_was_written_never_comes_back(front, disk, other):
    disk.writing.clear()
    stored = await put(front, b"x")
    removing = asyncio.get_running_loop().create_task(front.remove(stored.id))
    await asyncio.sleep(0)
    assert await front.entries(KEY) == []
    assert not removing.done()

    disk.writing.set()
    await removing
    assert await front.entries(KEY) == []
    assert await other.entries(KEY) == []


async def test_a_removal_under_way_hides_what_the_disk_still_has(front, disk, other):
    await put(other, b"x")
    [stored] = await front.entries(KEY)
    disk.writing.clear()
    removing = asyncio.get_running_loop().create_task(front.remove(stored.id))
    await asyncio.sleep(0)

    assert await front.entries(KEY) == []

    disk.writing.set()
    await removing


async def test_freshening_shows_at_once_and_reaches_the_disk_after_the_entry(front, disk, other):
    disk.writing.clear()
    stored = await put(front, b"body")
    await front.freshen(replace(stored, response_time=2000.0))
    [found] = await front.entries(KEY)
    assert found.response_time == 2000.0

    disk.writing.set()
    await front.flush()
    for store in (front, other):
        [found] = await store.entries(KEY)
        assert (found.response_time, await body_of(store, found)) == (2000.0, b"body")


async def test_what_could_not_be_written_is_forgotten(front, disk):
    disk.broken = True

    await put(front, b"x")
    await front.flush()

    assert await front.entries(KEY) == []


async def test_memory_is_bounded_and_what_was_used_least_recently_goes_first(make_front, disk):
    front = make_front(max_bytes=100 * KIB)
    for name in ("a", "b", "c"):
        await put(front, b"x" * 30 * KIB, key=name)
        await front.flush()
    await hit(front, "a")
    await put(front, b"x" * 30 * KIB, key="d")
    await front.flush()

    assert front._shelves.used <= 100 * KIB
    lookups = disk.lookups
    await hit(front, "a")
    assert disk.lookups == lookups
    await hit(front, "b")
    assert disk.lookups == lookups + 1


async def test_what_is_on_its_way_to_the_disk_stays_however_little_memory_there_is(make_front, disk):
    front = make_front(max_bytes=10 * KIB)
    disk.writing.clear()
    for name in ("a", "b", "c"):
        await put(front, b"x" * 8 * KIB, key=name)

    assert [await hit(front, name) for name in ("a", "b", "c")] == [b"x" * 8 * KIB] * 3

    disk.writing.set()
    await front.flush()
    assert front._shelves.used <= 10 * KIB


@pytest.mark.parametrize("length", [None, 300 * KIB], ids=["length unknown", "length known"])
async def test_a_large_body_goes_to_disk_and_does_not_stay_in_memory(front, disk, length):
    pieces = [bytes([number]) * 50 * KIB for number in range(6)]
    reader = await front.store(KEY, entry(), Body(*pieces, length=length))

    assert await read_all(reader) == b"".join(pieces)
    await reader.aclose()

    assert disk.stored == 1
    assert [await hit(front) for _ in range(2)] == [b"".join(pieces)] * 2
    assert front._shelves.used < 10 * KIB


async def test_an_entry_in_use_is_told_to_the_disk_once_a_minute(front, disk, clock):
    await put(front, b"x")
    await front.flush()
    await hit(front)
    lookups = disk.lookups

    await clock.advance(59)
    await hit(front)
    assert disk.lookups == lookups
    await clock.advance(1)
    assert await hit(front) == b"x"
    assert await hit(front) == b"x"

    assert (disk.lookups, disk.opened) == (lookups + 1, 0)


async def test_without_a_usable_disk_nothing_is_kept(tmp_path, clock):
    (tmp_path / "cache").write_text("in the way")
    front = FrontCacheStore(CountingDisk(tmp_path / "cache", clock=clock), clock=clock)
    body = Body(b"x")

    assert await front.store(KEY, entry(), body) is body
    assert await front.entries(KEY) == []
    await front.aclose()


async def test_facts_about_an_entry_live_as_long_as_it_is_in_memory(front):
    await put(front, b"x")
    await front.flush()
    [found] = await front.entries(KEY)
    found.facts = "known"

    [again] = await front.entries(KEY)

    assert again.facts == "known"


_OTHER = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from support.cache_entries import KEY, put
from sluicegate.clock import SystemClock
from sluicegate.stores.cache_disk import DiskCacheStore
from sluicegate.stores.cache_front import FrontCacheStore

class Events:
    def emit(self, event):
        raise SystemExit(event.message)

async def main():
    clock = SystemClock()
    store = FrontCacheStore(DiskCacheStore(Path(sys.argv[1]), events=Events(), clock=clock), clock=clock)
    for command in map(str.strip, sys.stdin):
        if command == "remove":
            for entry in await store.entries(KEY):
                await store.remove(entry.id)
        elif command == "put":
            await put(store, b"theirs")
            await store.flush()
        elif command == "put many":
            for number in range(2000):
                await put(store, b"x" * 1000, key=str(number))
                await asyncio.sleep(0)
            await store.flush()
        print("done", flush=True)

asyncio.run(main())
"""


@pytest.fixture
def process(tmp_path):
    command = [sys.executable, "-c", _OTHER, str(tmp_path / "cache"), str(ROOT / "tests")]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(order: str) -> None:
        started.stdin.write(order + "\n")
        started.stdin.flush()
        assert started.stdout.readline() == "done\n"

    yield started, tell
    started.kill()
    started.wait()
    started.stdin.close()
    started.stdout.close()


async def test_two_processes_never_show_what_the_other_has_removed_or_miss_what_it_has_added(front, process):
    _, tell = process
    for _ in range(3):
        await put(front, b"mine")
        await front.flush()
        assert await hit(front) == b"mine"
        tell("remove")
        assert await front.entries(KEY) == []

        tell("put")
        assert await hit(front) == b"theirs"
        [theirs] = await front.entries(KEY)
        await front.remove(theirs.id)


async def test_a_process_killed_while_it_writes_leaves_whole_entries_only(front, process, tmp_path):
    started, _ = process
    started.stdin.write("put many\n")
    started.stdin.flush()
    database = tmp_path / "cache" / DATABASE_NAME
    deadline = time.monotonic() + 30
    while not database.exists() or _count(database) < 10:
        assert time.monotonic() < deadline
        await asyncio.sleep(0)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()

    found = [(await front.entries(str(number)), number) for number in range(2000)]
    bodies = [await body_of(front, one) for entries, _ in found for one in entries]
    assert len(bodies) >= 10
    assert set(bodies) == {b"x" * 1000}


def _count(database: Path) -> int:
    connection = sqlite3.connect(database)
    try:
        return connection.execute("SELECT count(*) FROM entries").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()
