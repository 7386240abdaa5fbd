import asyncio
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.errors import ResponseCutShort
from sluicegate.stores.cache_batch import Put, Remove, Written
from sluicegate.stores.cache_disk import DATABASE_NAME, DiskCacheStore
from support.cache_entries import KEY, body_of, entry, put
from support.messages import Body, read_all

ROOT = Path(__file__).resolve().parents[2]
TINY = 2 * 1024 * 1024
KEPT = 12 * 4096
"""Where the bodies begin in a database of a few entries, in bytes."""


class Recorder:
    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def emit(self, event) -> None:
        self.notices.append(event)

    def names(self) -> list[str]:
        return [notice.event for notice in self.notices]


@pytest.fixture
def events():
    return Recorder()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def open_store(tmp_path, events, clock):
    opened = []

    def make(directory: Path = tmp_path / "cache", **options) -> DiskCacheStore:
        opened.append(DiskCacheStore(directory, events=events, clock=clock, **options))
        return opened[-1]

    yield make
    for store in opened:
        await store.aclose()


@pytest.fixture
def tiny_disk(tmp_path):
    """A directory with room for 2 MiB: a file system of its own where that is allowed, else a bound on files."""
    directory = tmp_path / "tiny"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={TINY}", "tmpfs", str(directory)]
    if subprocess.run(mount, check=False, capture_output=True).returncode == 0:
        yield directory
        subprocess.run(["umount", "--lazy", str(directory)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (TINY, hard))
    yield directory
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_entries_survive_a_restart(open_store):
    first = open_store()
    await put(first, b"kept")
    await first.aclose()

    store = open_store()
    [stored] = await store.entries(KEY)

    assert await body_of(store, stored) == b"kept"


async def test_two_processes_on_one_directory_see_each_others_entries(open_store):
    one, other = open_store(), open_store()
    assert await other.entries(KEY) == []

    await put(one, b"shared")
    [seen] = await other.entries(KEY)
    assert await body_of(other, seen) == b"shared"

    await other.remove(seen.id)
    assert await one.entries(KEY) == []


async def test_the_directory_is_for_its_owner_only(open_store, tmp_path):
    await put(open_store(), b"x")

    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"not a database" * 1000, b"SQLite format 3\0" + b"\xff" * 8192])
async def test_a_damaged_file_is_set_aside_and_said_and_a_new_one_works(open_store, events, tmp_path, content):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / DATABASE_NAME).write_bytes(content)
    store = open_store()

    assert await store.entries(KEY) == []
    stored = await put(store, b"new")

    assert await body_of(store, stored) == b"new"
    [aside] = (tmp_path / "cache").glob(f"{DATABASE_NAME}.corrupt-*Z")
    assert aside.read_bytes() == content
    [notice] = [notice for notice in events.notices if notice.event == "cache_store_set_aside"]
    assert (notice.stage, notice.level) == (Stage.CACHE, Level.ERROR)
    assert aside.name in notice.message


async def test_a_database_of_another_program_is_set_aside_unharmed(open_store, events, tmp_path):
    (tmp_path / "cache").mkdir()
    with sqlite3.connect(tmp_path / "cache" / DATABASE_NAME) as foreign:
        foreign.execute("CREATE TABLE entries (recipe TEXT)")
        foreign.execute("INSERT INTO entries VALUES ('soup')")
    foreign.close()

    assert await body_of(store := open_store(), await put(store, b"new")) == b"new"

    [aside] = (tmp_path / "cache").glob(f"{DATABASE_NAME}.corrupt-*Z")
    kept = sqlite3.connect(aside)
    assert kept.execute("SELECT recipe FROM entries").fetchall() == [("soup",)]
    kept.close()
    assert events.names() == ["cache_store_set_aside"]


async def test_damage_inside_the_file_is_a_miss_and_then_a_new_file(open_store, events, tmp_path):
    first = open_store()
    await put(first, *[b"x" * 100_000] * 10)
    await first.aclose()
    database = tmp_path / "cache" / DATABASE_NAME
    content = database.read_bytes()
    database.write_bytes(content[:KEPT] + b"\xff" * (len(content) - KEPT))

    store = open_store()
    assert await store.entries(KEY) == []
    assert events.names() == ["cache_store_failed"]
    stored = await put(store, b"new")

    assert await body_of(store, stored) == b"new"
    assert events.names() == ["cache_store_failed", "cache_store_set_aside"]


async def test_a_file_that_another_process_has_replaced_already_is_not_set_aside_again(open_store, events, tmp_path):
    store = open_store()
    await put(store, b"x")
    (tmp_path / "cache" / DATABASE_NAME).rename(tmp_path / "elsewhere")
    await put(open_store(), b"new")
    store._open.corrupt = True

    [stored] = await store.entries(KEY)

    assert await body_of(store, stored) == b"new"
    assert events.names() == []


async def test_a_directory_that_cannot_be_used_makes_misses_until_it_can(open_store, events, clock, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    store = open_store()
    body = Body(b"x")

    assert await store.entries(KEY) == []
    assert await store.store(KEY, entry(), body) is body
    await store.remove("0" * 32)
    assert store.stats() == (0, 0)
    assert events.names() == ["cache_store_unavailable"]

    (tmp_path / "cache").unlink()
    assert await store.store(KEY, entry(), body) is body
    await clock.advance(10)
    assert (await put(store, b"stored")).body_length == 6


@pytest.fixture
def read_only_directory():
    """A directory with a cache in it that this process may read and not write, not even as root."""
    directory = Path(tempfile.mkdtemp())
    asyncio.run(_fill(directory))
    for path in (directory, *directory.iterdir()):
        path.chmod(0o555 if path.is_dir() else 0o444)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield directory
    os.seteuid(user)
    directory.chmod(0o755)
    shutil.rmtree(directory)


async def _fill(directory: Path) -> None:
    store = DiskCacheStore(directory, events=Recorder(), clock=ManualClock())
    await put(store, b"kept")
    await store.aclose()


async def test_a_directory_that_cannot_be_written_makes_misses(open_store, events, read_only_directory):
    store = open_store(read_only_directory)

    assert await read_all(await store.store("other", entry(), Body(b"x", b"y"))) == b"xy"
    assert await store.entries("other") == []
    assert events.names() != []
    await store.aclose()


async def test_a_full_disk_lets_bodies_pass_and_says_so(open_store, events, tiny_disk):
    store = open_store(tiny_disk / "cache")
    for _ in range(3):
        reader = await store.store(KEY, entry(), Body(*[b"x" * 100_000] * 40))
        assert await read_all(reader) == b"x" * 4_000_000
        await reader.aclose()
        assert await store.entries(KEY) == []

    assert events.names() == ["cache_store_failed"]


async def test_trouble_that_lasts_is_told_again_after_a_while(open_store, events, clock, tiny_disk):
    store = open_store(tiny_disk / "cache")
    for _ in range(2):
        await read_all(await store.store(KEY, entry(), Body(*[b"x" * 100_000] * 40)))
        await clock.advance(60)

    assert events.names() == ["cache_store_failed", "cache_store_failed"]


async def test_on_a_full_disk_entries_can_still_be_removed(open_store, events, tiny_disk):
    store = open_store(tiny_disk / "cache")
    stored = await put(store, b"x")
    large = [Put(str(number), replace(entry(), id=f"{number:032x}"), b"y" * 900_000) for number in range(4)]

    done = await store.apply([*large, Remove(stored.id)])

    assert done == [None] * 4 + [Written()]
    assert await store.entries(KEY) == []
    assert events.names() == ["cache_store_failed"]


async def test_while_it_cannot_be_opened_changes_fail_and_there_is_no_version(open_store, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    store = open_store()

    assert not await store.usable()
    assert await store.apply([Remove("0" * 32)]) == [None]
    assert (store.version(), store.heads(KEY)) == (None, {})


async def test_what_was_given_up_takes_no_room(open_store, tmp_path):
    store = open_store()
    given_up = await store.store(KEY, entry(), Body(b"x" * 500_000, b"y"))
    await given_up.read()
    await given_up.aclose()
    broken = await store.store(KEY, entry(), Body(b"x" * 500_000, error=ResponseCutShort("cut")))
    await broken.read()
    with pytest.raises(ResponseCutShort):
        await broken.read()

    connection = sqlite3.connect(tmp_path / "cache" / DATABASE_NAME)
    counts = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("entries", "streams")]
    connection.close()
    assert counts == [(0,), (0,)]


async def test_the_bound_on_size_holds_for_entries_that_come_later(open_store):
    store = open_store(max_size=1024 * 1024)
    for number in range(6):
        await read_all(await store.store(str(number), entry(), Body(*[b"x" * 100_000] * 5)))

    assert store.stats()[1] < 2 * 1024 * 1024
    reader = await store.store("late", entry(), body := Body(b"x"))
    assert reader is body


async def test_an_entry_whose_head_cannot_be_read_is_dropped(open_store, tmp_path):
    store = open_store()
    await put(store, b"x")
    connection = sqlite3.connect(tmp_path / "cache" / DATABASE_NAME, isolation_level=None)
    [(data,)] = connection.execute("SELECT data FROM entries").fetchall()
    connection.execute("UPDATE entries SET data = ?", (data.replace(b'"version":1', b'"version":9'),))
    connection.close()

    assert await store.entries(KEY) == []
    assert store.stats()[0] == 0


_WRITER = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from support.cache_entries import KEY, entry, put
from support.messages import Body
from sluicegate.clock import SystemClock
from sluicegate.errors import ResponseCutShort
from sluicegate.stores.cache_disk import DiskCacheStore

class Events:
    def emit(self, event):
        raise SystemExit(event.message)

async def main():
    store = DiskCacheStore(Path(sys.argv[1]), events=Events(), clock=SystemClock())
    await put(store, b"whole", key="whole")
    reader = await store.store("half", entry(), Body(*[b"x" * 500_000] * 10))
    for _ in range(5):
        await reader.read()
    print("half way", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


async def test_a_process_killed_half_way_leaves_what_was_whole_and_nothing_else(open_store, tmp_path):
    command = [sys.executable, "-c", _WRITER, str(tmp_path / "cache"), str(ROOT / "tests")]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "half way\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdin.close()
    writer.stdout.close()

    store = open_store()

    assert await store.entries("half") == []
    [whole] = await store.entries("whole")
    assert await body_of(store, whole) == b"whole"
    assert store.stats()[0] == 1


_LARGE = """
import asyncio, resource, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from support.cache_entries import KEY, entry
from sluicegate.clock import SystemClock
from sluicegate.errors import ResponseCutShort
from sluicegate.stores.cache_disk import DiskCacheStore

PIECE, COUNT = b"x" * 262_144, 1024

class Large:
    length, trailers, left = None, [], COUNT
    async def read(self):
        self.left -= 1
        return PIECE if self.left >= 0 else b""
    async def aclose(self):
        pass

async def drain(reader):
    total = 0
    while piece := await reader.read():
        total += len(piece)
    return total

async def main():
    store = DiskCacheStore(Path(sys.argv[1]), events=None, clock=SystemClock())
    await drain(await store.store("first", entry(), type("One", (Large,), {"left": 1})()))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    written = await drain(await store.store(KEY, entry(), Large()))
    [stored] = await store.entries(KEY)
    read = await drain(await store.open_body(stored))
    print(written, read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    await store.aclose()

asyncio.run(main())
"""


def test_memory_stays_flat_however_large_the_body(tmp_path):
    command = [sys.executable, "-c", _LARGE, str(tmp_path / "cache"), str(ROOT / "tests")]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    written, read, grown_kib = map(int, output.split())
    assert written == read == 256 * 1024 * 1024
    assert grown_kib < 32 * 1024
