import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sluicegate.clock import ManualClock, SystemClock
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.rates import parse_rates
from sluicegate.errors import PermitStoreBusy, PermitStoreError
from sluicegate.stores.permits.sqlite import FILE_NAME, SqlitePermitStore

TAKER = Path(__file__).parents[2] / "support" / "permit_taker.py"
FIVE = Limit("five", parse_rates("5/second"))


class Taker:
    """A process that takes permits from the store in `directory`."""

    def __init__(self, directory, rates, seconds, queue):
        self.process = subprocess.Popen(
            [sys.executable, str(TAKER), str(directory), rates, str(seconds), queue],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self):
        assert self.process.stdout.readline() == "ready\n"
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def times(self, at_least=0):
        """The times of its permits: as many as asked for, or all until it ends."""
        if at_least:
            return [float(self.process.stdout.readline()) for _ in range(at_least)]
        times = [float(line) for line in self.process.stdout]
        assert self.process.wait(10) == 0
        self._close()
        return times

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        rest = [float(line) for line in self.process.stdout if line.endswith("\n")]
        self._close()
        return rest

    def _close(self):
        self.process.stdin.close()
        self.process.stdout.close()


def assert_no_window_exceeded(times, rates):
    times = sorted(times)
    for rate in parse_rates(rates):
        for first, beyond in zip(times, times[rate.count :], strict=False):
            assert beyond - first > rate.window_s


async def burst(store, key, limit):
    count = 0
    while (await store.take(key, limit, queued=False)).admitted:
        count += 1
    return count


def test_the_sum_of_several_processes_keeps_the_limit(tmp_path):
    rates = "20/200ms 60/second"
    takers = [Taker(tmp_path, rates, 2.5, "queued") for _ in range(3)]
    for taker in takers:
        taker.start()

    times = [time for taker in takers for time in taker.times()]

    assert_no_window_exceeded(times, rates)
    assert len(times) > 60


def test_a_killed_process_forgets_nothing(tmp_path):
    rates = "40/2second"
    taker = Taker(tmp_path, rates, 60, "idle")
    taker.start()
    times = taker.times(at_least=5)
    times += taker.kill()

    again = Taker(tmp_path, rates, 3, "idle")
    again.start()
    times += again.times()

    assert_no_window_exceeded(times, rates)
    assert len(times) > 40


async def test_permits_survive_a_restart(tmp_path):
    clock = ManualClock()
    first = SqlitePermitStore(tmp_path, clock)
    assert await burst(first, "a", FIVE) == 5
    await first.aclose()

    second = SqlitePermitStore(tmp_path, clock)
    assert await burst(second, "a", FIVE) == 0
    await clock.advance(1.1)
    assert await burst(second, "a", FIVE) == 5
    await second.aclose()


async def test_a_store_held_by_another_process_is_busy_and_recovers(tmp_path):
    store = SqlitePermitStore(tmp_path, ManualClock())
    store.open()
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(PermitStoreBusy):
        await store.take("a", FIVE, queued=False)
    other.execute("ROLLBACK")
    other.close()

    assert (await store.take("a", FIVE, queued=False)).admitted
    await store.aclose()


async def test_a_directory_that_cannot_be_made_is_told_and_recovers(tmp_path):
    blocker = tmp_path / "state"
    blocker.write_text("a file where the directory should be")
    store = SqlitePermitStore(blocker, ManualClock())

    with pytest.raises(PermitStoreError, match=r"permits\.sqlite3 cannot be used"):
        store.open()
    with pytest.raises(PermitStoreError):
        await store.take("a", FIVE, queued=False)

    blocker.unlink()
    assert (await store.take("a", FIVE, queued=False)).admitted
    await store.aclose()


async def test_a_corrupt_file_gives_no_permit(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"this is not a database" * 500)
    store = SqlitePermitStore(tmp_path, ManualClock())

    with pytest.raises(PermitStoreError, match="not a database"):
        await store.take("a", FIVE, queued=False)

    (tmp_path / FILE_NAME).unlink()
    assert (await store.take("a", FIVE, queued=False)).admitted
    await store.aclose()


async def test_hosts_that_nobody_asks_any_more_leave_the_file(tmp_path):
    clock = ManualClock()
    store = SqlitePermitStore(tmp_path, clock)
    for i in range(300):
        await store.take(f"h{i}", FIVE, queued=False)
    await clock.advance(60)

    for _ in range(400):
        await store.take("busy", FIVE, queued=False)
        await clock.advance(0.3)
    await store.aclose()

    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        hosts = db.execute("SELECT name FROM host").fetchall()
        permits = db.execute("SELECT count(*) FROM permit").fetchone()[0]
    db.close()
    assert hosts == [("busy",)]
    assert permits < 200


def test_a_disk_that_fills_up_does_not_stop_the_limiter(tmp_path):
    """The process may not make any file longer once the store is open, as if the disk were full."""
    script = f"""
import asyncio, resource
from pathlib import Path
from sluicegate.clock import ManualClock
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.rates import parse_rates
from sluicegate.stores.permits.sqlite import FILE_NAME, SqlitePermitStore

async def main():
    clock, limit = ManualClock(), Limit("five", parse_rates("5/second"))
    directory = Path({str(tmp_path)!r})
    store = SqlitePermitStore(directory, clock)
    store.open()
    longest = max(file.stat().st_size for file in directory.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest, longest))
    for i in range(3000):
        assert (await store.take(f"h{{i % 50}}", limit, queued=False)).admitted
        await clock.advance(0.01)
    await store.aclose()

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


async def test_ten_thousand_idle_hosts_are_cheap(tmp_path):
    store = SqlitePermitStore(tmp_path, SystemClock())
    for i in range(10_000):
        assert (await store.take(f"h{i}", FIVE, queued=False)).admitted
        if i % 1_000 == 0:
            await asyncio.sleep(0)

    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 8 * 1024 * 1024
    await store.aclose()
