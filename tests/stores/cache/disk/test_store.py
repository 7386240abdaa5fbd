import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
from dataclasses import replace

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.caching.decisions import Span
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.disk.database import DATABASE_NAME
from sluicegate.stores.cache.disk.store import RETRY_AFTER_S, DiskCacheStore
from support.cache_entries import KEY, entry
from support.cache_stores import MIB, Notices, arrive, body_of, ids, keep, try_to_keep, until
from support.disk_store import body_files, database, manual, opened, start, written

OTHER = "http://other.example/"


def bytes_in_files(directory):
    """What all body files take, though the store deletes some meanwhile."""
    total = 0
    for path in body_files(directory):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


# In memory and behind it


async def test_what_was_kept_is_recalled_without_waiting_as_the_same_object(tmp_path):
    async with opened(tmp_path) as store:
        assert store.recall(KEY) == []
        kept = await keep(store, b"x")

        assert store.recall(KEY)[0] is kept
        assert store.body_at_hand(kept) == b"x"
        await written(store)
        assert store.recall(KEY)[0] is kept


async def test_after_a_restart_an_entry_is_read_once_and_then_recalled_with_its_body(tmp_path):
    async with opened(tmp_path) as store:
        kept = await keep(store, b"x" * 1000)
    async with opened(tmp_path) as store:
        assert store.recall(KEY) is None

        [found] = await store.entries(KEY)

        assert store.recall(KEY)[0] is found
        assert store.body_at_hand(found) == b"x" * 1000
        assert found == kept


async def test_what_is_removed_before_it_was_written_is_gone_and_counts_nothing(tmp_path):
    async with opened(tmp_path) as store:
        kept = await keep(store, b"x")
        await store.remove(kept.id)

        assert store.recall(KEY) == []
        assert store.stats() == (0, 0)
        assert store._events.told == []


async def test_what_does_not_fit_into_memory_comes_from_disk(tmp_path):
    async with opened(tmp_path, front_bytes=20_000) as store:
        bodies = {f"{KEY}{number}": b"%d" % number * 1000 for number in range(50)}
        for key, body in bodies.items():
            await keep(store, body, key=key)
        await written(store)

        assert store.recall(f"{KEY}0") is None
        for key, body in bodies.items():
            [found] = await store.entries(key)
            assert await body_of(store, found) == body
            assert await body_of(store, found, Span(1, 3)) == body[1:3]


async def test_a_file_of_moderate_size_is_at_hand_once_it_was_read(tmp_path):
    async with opened(tmp_path) as store:
        await keep(store, bytes(200_000))
        [found] = await store.entries(KEY)
        assert store.body_at_hand(found) is None

        await body_of(store, found)

        assert store.body_at_hand(found) == bytes(200_000)


async def test_a_store_may_be_used_before_it_is_open(tmp_path):
    store = DiskCacheStore(tmp_path, events=Notices(), clock=manual())
    assert store.recall(KEY) is None
    assert store.stats() == (0, 0)

    kept = await keep(store, b"x")

    assert await ids(store) == {kept.id}
    await store.aclose()


async def test_an_entry_with_a_line_end_in_a_field_is_not_stored(tmp_path):
    async with opened(tmp_path) as store:
        bad = entry()
        bad.response.fields.append((b"X", b"a\r\nb"))
        assert store.begin(KEY, bad, None) is None

        kept = await keep(store, b"x")
        await store.freshen(replace(kept, response=bad.response))
        assert store.recall(KEY) == [kept]


async def test_a_head_that_is_not_in_memory_is_fresh_when_freshening_is_through(tmp_path):
    async with opened(tmp_path, front_bytes=1) as store:
        kept = await keep(store, b"x")
        await written(store)
        assert store.recall(KEY) is None

        await store.freshen(replace(kept, response_time=9.0))

        assert [found.response_time for found in await store.entries(KEY)] == [9.0]


async def test_after_it_is_closed_everything_is_on_disk_and_in_one_file(tmp_path):
    async with opened(tmp_path) as store:
        for number in range(100):
            await keep(store, b"x", key=f"{KEY}{number}")

    assert {path.name for path in tmp_path.iterdir() if "-wal" in path.name} == set()
    with database(tmp_path) as db:
        assert db.execute("SELECT count(*) FROM entry").fetchone() == (100,)
        assert db.execute("SELECT entries FROM total").fetchone() == (100,)


async def test_use_is_remembered_across_a_restart(tmp_path):
    clock = ManualClock()
    async with opened(tmp_path, clock=clock) as store:
        for number in range(3):
            await keep(store, bytes(MIB), key=f"{KEY}{number}")
        await written(store)
        await clock.advance(120)
        assert len(await store.entries(f"{KEY}0")) == 1
        await clock.advance(2)
        await written(store)
    async with opened(tmp_path, clock=clock, max_size=3 * MIB) as store:
        await written(store)

        assert len(await store.entries(f"{KEY}0")) == 1
        assert await store.entries(f"{KEY}1") == []


async def test_all_on_disk_stays_within_the_bound(tmp_path):
    bound = 4 * MIB
    async with opened(tmp_path, max_size=bound) as store:
        for number in range(400):
            size = random.Random(number).choice([500, 20_000, 60_000, 300_000])
            await try_to_keep(store, random.Random(number).randbytes(size), key=f"{KEY}{number}")
            assert bytes_in_files(tmp_path) <= bound
        await written(store)
        size = store.stats()[1]
    used = sum(path.stat().st_blocks * 512 for path in [*body_files(tmp_path), tmp_path / DATABASE_NAME])
    assert size <= bound
    assert used <= bound * 1.1


# Several processes

_KEEPER = """
async def main():
    async with opened(DIRECTORY) as store:
        small = await keep(store, b"x" * 100)
        large = await keep(store, b"y" * MIB, key="http://example.com/large")
        await written(store)
        print(small.id, large.id, flush=True)
        sys.stdin.readline()
        print(sorted(await ids(store)), len(await store.entries("http://example.com/large")), flush=True)
"""


async def test_another_process_finds_what_this_one_keeps_and_the_other_way_round(tmp_path):
    async with opened(tmp_path) as store:
        assert store.recall(KEY) == []
        process = start(tmp_path, _KEEPER)
        small, large = process.stdout.readline().split()

        assert store.recall(KEY) is None
        assert await ids(store) == {small}
        [found] = await store.entries("http://example.com/large")
        assert await body_of(store, found) == b"y" * MIB
        ours = await keep(store, b"ours")
        await store.remove(found.id)
        await store.remove(small)
        await written(store)

        out, _ = process.communicate("look\n", timeout=30)
        assert out.strip() == f"{[ours.id]} 0"
        assert large == found.id


async def test_two_stores_of_one_process_do_not_disturb_each_other(tmp_path):
    async with opened(tmp_path) as one:
        async with opened(tmp_path) as other:
            kept = await keep(other, bytes(MIB))
            assert await ids(one) == {kept.id}
        second = await keep(one, bytes(MIB), key=OTHER)
        async with opened(tmp_path) as third:
            assert await ids(third, OTHER) == {second.id}
            writer = one.begin(KEY, entry(), None)
            for _ in range(4):
                assert await writer.write(bytes(MIB))
            await third._disk.writer.make(_sweep())
            assert (await writer.commit()).body_length == 4 * MIB
            await writer.aclose()


def _sweep():
    from sluicegate.stores.cache.disk.changes import Sweep

    return Sweep()


_PUTTER = """
import random
async def main():
    store_number = sys.argv[1]
    async with opened(DIRECTORY, max_size=20 * MIB) as store:
        print("ready", flush=True)
        rng = random.Random()
        while True:
            number = rng.randrange(200)
            size = rng.choice([0, 10, 5000, 70_000, 300_000, 2_000_000])
            body = bytes([number]) * size
            pieces = [body[at:at + 50_000] for at in range(0, size, 50_000)]
            await try_to_keep(store, *pieces, key=f"http://example.com/{number}", length=rng.choice([None, size]))
            for found in (await store.entries(f"http://example.com/{rng.randrange(200)}"))[2:]:
                await store.remove(found.id)
"""


async def test_processes_that_are_killed_at_any_moment_leave_only_whole_bodies_and_within_the_bound(tmp_path):
    rng = random.Random(1)
    for _ in range(8):
        processes = [start(tmp_path, _PUTTER) for _ in range(2)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        await asyncio.sleep(rng.uniform(0.05, 0.4))
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        async with opened(tmp_path, max_size=20 * MIB) as store:
            await written(store)
            for number in range(200):
                for found in await store.entries(f"http://example.com/{number}"):
                    assert await body_of(store, found) == bytes([number]) * found.body_length
            with database(tmp_path) as db:
                known = {number for (number,) in db.execute("SELECT id FROM entry WHERE filed")}
                assert db.execute("SELECT count(*), coalesce(sum(size), 0) FROM entry").fetchone() == (
                    db.execute("SELECT entries, bytes FROM total").fetchone()
                )
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                assert db.execute("SELECT count(*) FROM loose").fetchone() == (0,)
            assert {int(path.name, 16) for path in body_files(tmp_path)} == known
            assert store.stats()[1] <= 20 * MIB
            assert store._events.told == []


# Faults


async def test_a_body_that_is_short_or_gone_is_refused_and_its_entry_goes(tmp_path):
    for damage in (lambda path: os.truncate(path, 1000), lambda path: path.unlink()):
        async with opened(tmp_path) as store:
            await keep(store, bytes(MIB))
            [found] = await store.entries(KEY)
            damage(body_files(tmp_path)[0])

            with pytest.raises(CacheStoreError):
                await store.open_body(found)

            await written(store)
            assert await store.entries(KEY) == []
            assert store._events.names == ["cache_entry_lost"]


async def test_a_body_that_is_removed_while_it_is_opened_is_gone_and_not_damaged(tmp_path, monkeypatch):
    loop = asyncio.get_running_loop()
    async with opened(tmp_path) as store:
        await keep(store, bytes(MIB))
        [found] = await store.entries(KEY)
        files = store._disk.files
        really_open = files.open

        def too_late(entry_id, length):
            asyncio.run_coroutine_threadsafe(store.remove(found.id), loop).result()
            return really_open(entry_id, length)

        monkeypatch.setattr(files, "open", too_late)

        with pytest.raises(CacheStoreError):
            await store.open_body(found)

        assert store._events.names == []


async def test_a_database_that_becomes_damaged_is_set_aside_and_a_new_one_is_used(tmp_path):
    async with opened(tmp_path, front_bytes=1) as store:
        for number in range(3000):
            await keep(store, b"x" * 1000, key=f"{KEY}{number}")
        await written(store)
    size = (tmp_path / DATABASE_NAME).stat().st_size
    with (tmp_path / DATABASE_NAME).open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(size - 8192))

    async with opened(tmp_path) as store:
        for number in range(0, 3000, 100):
            await store.entries(f"{KEY}{number}")
        async with asyncio.timeout(10):
            while (kept := await try_to_keep(store, b"new", key=OTHER)) is None or not await ids(store, OTHER):
                await asyncio.sleep(0.01)
        assert await body_of(store, kept) == b"new"
        assert "cache_store_set_aside" in store._events.names
        assert len(list(tmp_path.glob("*.corrupt-*"))) >= 1


async def test_a_directory_that_is_removed_is_made_again(tmp_path):
    clock = ManualClock()
    directory = tmp_path / "cache"
    async with opened(directory, clock=clock) as store:
        await keep(store, b"x")
        await written(store)

        shutil.rmtree(directory)
        await clock.advance(1)  # it looks once a second
        await until(lambda: store._disk is None or store._disk.path.exists())
        async with asyncio.timeout(10):
            while await store.entries(KEY):
                await asyncio.sleep(0.001)
        kept = await keep(store, b"y")

        assert await ids(store) == {kept.id}
        await written(store)
    assert (directory / DATABASE_NAME).exists()


async def test_a_directory_that_cannot_be_used_is_told_once_and_tried_again(tmp_path):
    clock = ManualClock()
    directory = tmp_path / "cache"
    directory.write_text("in the way")
    async with opened(directory, clock=clock) as store:
        for _ in range(3):
            assert await store.entries(KEY) == []
            assert await try_to_keep(store, b"x") is None
            await store.remove("7")
            await clock.advance(RETRY_AFTER_S)
        assert store._events.names == ["cache_store_unavailable"]

        directory.unlink()
        await clock.advance(RETRY_AFTER_S)
        kept = await keep(store, b"x")

        assert await ids(store) == {kept.id}
        assert store._events.names == ["cache_store_unavailable", "cache_store_recovered"]


async def test_a_newer_database_means_misses_and_a_notice_that_says_what_to_do(tmp_path):
    async with opened(tmp_path):
        pass
    with database(tmp_path) as db:
        db.execute("PRAGMA user_version = 99")

    async with opened(tmp_path) as store:
        assert await store.entries(KEY) == []
        [notice] = store._events.told
        assert "99" in notice.message
        assert "delete the cache directory" in notice.message


async def test_what_was_removed_while_the_database_could_not_be_opened_is_gone_afterwards(tmp_path):
    clock = ManualClock()
    async with opened(tmp_path, clock=clock) as store:
        kept = await keep(store, b"x")
    with database(tmp_path) as db:
        db.execute("PRAGMA user_version = 99")
    async with opened(tmp_path, clock=clock) as store:
        await store.remove(kept.id)
        with database(tmp_path) as db:
            db.execute("PRAGMA user_version = 1")
        await clock.advance(RETRY_AFTER_S)

        assert await store.entries(KEY) == []
        assert store.stats()[0] == 0


@pytest.fixture
def small_disk(tmp_path):
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(directory)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.fail("this test needs to mount a small disk: run it as root")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


async def test_a_full_disk_costs_entries_and_is_told_once_and_recovers(tmp_path, small_disk):
    clock = ManualClock()
    async with opened(small_disk / "cache", clock=clock) as store:
        before = await keep(store, b"before")
        await written(store)
        for number in range(40):
            await try_to_keep(store, os.urandom(50_000), os.urandom(50_000), key=f"{OTHER}{number}")
            await try_to_keep(store, os.urandom(50_000), key=f"{OTHER}{number}")
            await written(store)
        assert store._events.names == ["cache_store_failed"]
        assert store.begin(KEY, entry(), None) is None
        assert await ids(store) == {before.id}

        for path in body_files(small_disk / "cache")[:10]:
            path.unlink()
        await clock.advance(RETRY_AFTER_S)
        kept = await keep(store, b"after", key=OTHER)
        await written(store)

        assert await ids(store, OTHER) == {kept.id}
        assert store._events.names == ["cache_store_failed", "cache_store_recovered"]


async def test_statistics_know_of_other_processes_within_a_second(tmp_path):
    clock = ManualClock()
    async with opened(tmp_path, clock=clock) as one, opened(tmp_path) as other:
        kept = await keep(other, b"x")
        await arrive(one, kept)

        await clock.advance(1)

        await until(lambda: one.stats()[0] == 1)
