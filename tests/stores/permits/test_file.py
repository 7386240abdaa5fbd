import sqlite3

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.rates import parse_rates
from sluicegate.errors import PermitStoreError
from sluicegate.stores.permits.file import PermitFile, boot_id
from sluicegate.stores.permits.sqlite import FILE_NAME, SqlitePermitStore

HOURLY = Limit("hourly", parse_rates("10/hour"))


async def spend(directory, clock, boot):
    store = SqlitePermitStore(directory, clock, boot=boot)
    count = 0
    while (await store.take("a", HOURLY, queued=False)).admitted:
        count += 1
    wait_s = await store.predict("a", HOURLY, 0)
    await store.aclose()
    return count, wait_s


async def test_after_a_reboot_permits_count_by_wall_time(tmp_path):
    assert (await spend(tmp_path, ManualClock(now=50_000, wall=1_800_000_000), "first"))[0] == 10

    count, wait_s = await spend(tmp_path, ManualClock(now=30, wall=1_800_000_600), "second")

    assert count == 0
    assert wait_s == pytest.approx(3_000, abs=1)


async def test_after_a_reboot_an_hour_later_the_window_is_free(tmp_path):
    await spend(tmp_path, ManualClock(now=50_000, wall=1_800_000_000), "first")

    count, _ = await spend(tmp_path, ManualClock(now=30, wall=1_800_003_700), "second")

    assert count == 10


async def test_after_a_reboot_with_the_wall_clock_set_back_permits_count_as_of_now(tmp_path):
    await spend(tmp_path, ManualClock(now=50_000, wall=1_800_000_000), "first")

    count, wait_s = await spend(tmp_path, ManualClock(now=30, wall=1_700_000_000), "second")

    assert count == 0
    assert wait_s == pytest.approx(3_600, abs=1)


async def test_the_latest_wall_time_of_a_boot_counts(tmp_path):
    """The wall clock was an hour slow, was corrected, and then a permit was given: it is the corrected one that counts."""
    clock = ManualClock(now=50_000, wall=1_800_000_000)
    store = SqlitePermitStore(tmp_path, clock, boot="first")
    for _ in range(9):
        await store.take("a", HOURLY, queued=False)
    clock.jump_wall(3_600)
    await store.take("a", HOURLY, queued=False)
    await store.aclose()

    count, wait_s = await spend(tmp_path, ManualClock(now=30, wall=1_800_003_660), "second")

    assert count == 0
    assert wait_s == pytest.approx(3_540, abs=1)


async def test_a_jump_of_the_wall_clock_changes_nothing_within_a_boot(tmp_path):
    await spend(tmp_path, ManualClock(now=50_000, wall=1_800_000_000), "first")

    count, wait_s = await spend(tmp_path, ManualClock(now=50_600, wall=1_900_000_000), "first")

    assert count == 0
    assert wait_s == pytest.approx(3_000, abs=1)


async def test_without_a_boot_id_times_from_the_future_count_as_of_now(tmp_path):
    await spend(tmp_path, ManualClock(now=50_000, wall=1_800_000_000), "")

    count, wait_s = await spend(tmp_path, ManualClock(now=30, wall=1_800_000_600), "")

    assert count == 0
    assert wait_s == pytest.approx(3_600, abs=1)


def test_a_file_of_a_later_version_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(PermitStoreError, match="schema version 99"):
        PermitFile(tmp_path / FILE_NAME, ManualClock()).open()


def test_a_transaction_that_is_not_committed_leaves_nothing(tmp_path):
    file = PermitFile(tmp_path / FILE_NAME, ManualClock())
    with file.writing() as db:
        db.execute("INSERT INTO permit VALUES (1, 1, 1.0)")
    with file.reading() as db:
        assert db.execute("SELECT count(*) FROM permit").fetchone() == (0,)
    file.close()


def test_this_machine_tells_its_boots_apart():
    assert boot_id() == boot_id()
