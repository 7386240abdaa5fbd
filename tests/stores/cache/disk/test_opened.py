import asyncio
import contextlib

import pytest

from sluicegate.clock import ManualClock
from sluicegate.stores.cache.disk.database import BOARD_NAME, DATABASE_NAME
from sluicegate.stores.cache.disk.faults import TooNew
from sluicegate.stores.cache.disk.opened import Wanted, open_disk
from support.cache_entries import KEY
from support.cache_stores import MIB, ids, keep
from support.disk_store import body_files, database, opened, written


def wanted(directory, *, boot="boot"):
    return Wanted(directory, ManualClock(), boot, 10**9, MIB, MIB)


@contextlib.asynccontextmanager
async def disk_in(directory, **options):
    disk = await asyncio.to_thread(open_disk, wanted(directory, **options), asyncio.get_running_loop(), print)
    try:
        yield disk
    finally:
        await disk.aclose()


async def test_everything_in_it_is_private(tmp_path):
    async with opened(tmp_path / "new" / "cache") as store:
        await keep(store, bytes(MIB))
        found = list((tmp_path / "new" / "cache").rglob("*"))

    assert {path.stat().st_mode & 0o777 for path in found if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in found if path.is_file()} == {0o600}


async def test_after_a_reboot_what_is_stored_is_found_and_what_is_not_is_certain_again(tmp_path):
    async with opened(tmp_path, boot="one") as store:
        kept = await keep(store, b"x")
    async with opened(tmp_path, boot="two") as store:
        async with asyncio.timeout(10):
            while store.recall("http://example.com/never") is None:
                await asyncio.sleep(0.001)

        assert store.recall(KEY) is None
        assert await ids(store) == {kept.id}


async def test_after_a_reboot_files_that_nobody_knows_are_deleted(tmp_path):
    async with opened(tmp_path, boot="one") as store:
        kept = await keep(store, bytes(MIB))
        (whole,) = body_files(tmp_path)
        orphan = whole.with_name(f"{int(kept.id) + 256:x}")
        orphan.write_bytes(b"lost its transaction")
    async with opened(tmp_path, boot="two") as store:
        async with asyncio.timeout(10):
            while orphan.exists():
                await asyncio.sleep(0.001)

        assert await ids(store) == {kept.id}
        assert body_files(tmp_path) == [whole]


async def test_what_a_dead_process_wrote_is_swept_when_the_next_one_opens(tmp_path):
    async with opened(tmp_path) as store:
        kept = await keep(store, bytes(MIB))
        await written(store)
        (path,) = body_files(tmp_path)
        orphan = path.with_name(f"{int(kept.id) + 256:x}")
        orphan.write_bytes(b"half")
        with database(tmp_path) as db:
            db.execute("INSERT INTO loose VALUES (?, 999, ?)", (int(kept.id) + 256, 5 * MIB))
    async with opened(tmp_path) as store:
        await written(store)

        assert body_files(tmp_path) == [path]
        assert store.stats()[1] < 2 * MIB
        assert await ids(store) == {kept.id}


async def test_a_board_that_is_gone_is_made_again(tmp_path):
    async with opened(tmp_path) as store:
        kept = await keep(store, b"x")
    (tmp_path / BOARD_NAME).unlink()

    async with opened(tmp_path) as store:
        assert await ids(store) == {kept.id}


async def test_a_newer_database_is_refused_and_not_touched(tmp_path):
    async with disk_in(tmp_path):
        pass
    with database(tmp_path) as db:
        db.execute("PRAGMA user_version = 99")

    with pytest.raises(TooNew, match="99"):
        async with disk_in(tmp_path):
            pass

    with database(tmp_path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (99,)


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"junk" * 5000])
async def test_what_is_no_database_is_set_aside(tmp_path, content):
    (tmp_path / DATABASE_NAME).write_bytes(content)

    async with disk_in(tmp_path) as disk:
        [(name, _)] = disk.aside

    assert (tmp_path / name).read_bytes() == content


async def test_a_database_without_its_tables_is_set_aside(tmp_path):
    async with disk_in(tmp_path):
        pass
    with database(tmp_path) as db:
        db.execute("DELETE FROM identity")

    async with disk_in(tmp_path) as disk:
        assert len(disk.aside) == 1


async def test_files_of_a_database_that_was_set_aside_are_deleted(tmp_path):
    async with opened(tmp_path) as store:
        await keep(store, bytes(MIB))
    (tmp_path / DATABASE_NAME).write_bytes(b"no database" * 1000)

    async with opened(tmp_path):
        async with asyncio.timeout(10):
            while body_files(tmp_path):
                await asyncio.sleep(0.001)


async def test_marks_differ_between_directories_so_that_nobody_can_choose_keys_that_collide(tmp_path):
    async with disk_in(tmp_path / "one") as one, disk_in(tmp_path / "other") as other:
        assert one.mark(b"key") != other.mark(b"key")
        assert one.mark(b"key") == one.mark(b"key") != one.mark(b"key 2")


async def test_a_closed_directory_leaves_no_mark_of_life(tmp_path):
    async with disk_in(tmp_path):
        assert len(list((tmp_path / "owners").iterdir())) == 1

    assert list((tmp_path / "owners").iterdir()) == []
