import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from sluicegate.clock import SystemClock
from sluicegate.errors import PermitStoreError
from sluicegate.stores.permits.slots import FILE_NAME, LockedSlots

HOLDER = Path(__file__).parents[2] / "support" / "slot_holder.py"


class Holder:
    """Another process with the same directory."""

    def __init__(self, directory):
        self.process = subprocess.Popen(
            [sys.executable, str(HOLDER), str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.answer() == "ready"

    def answer(self):
        return self.process.stdout.readline().strip()

    def say(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def ask(self, line):
        self.say(line)
        return self.answer()

    def end(self, *, kill=False):
        if kill:
            self.process.kill()
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture
def holders(tmp_path):
    made = [Holder(tmp_path) for _ in range(2)]
    yield made
    for holder in made:
        holder.end()


@pytest.fixture
async def slots(tmp_path):
    store = LockedSlots(tmp_path, SystemClock())
    store.open()
    yield store
    store.close()


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("bound", [1, 3, 8])
def test_processes_together_hold_no_more_than_the_bound(holders, bound):
    answers = [holders[i % 2].ask(f"acquire a {bound}") for i in range(bound)]
    assert answers == ["yes"] * bound

    # One that has a whole bound's worth itself does not ask; the others are refused.
    for holder in holders if bound > 1 else holders[1:]:
        assert holder.ask(f"acquire a {bound}") == "no"


def test_names_do_not_share_slots(holders):
    assert [holder.ask(f"acquire {name} 1") for holder, name in zip(holders, "ab", strict=True)] == ["yes", "yes"]


def test_a_slot_that_is_given_back_goes_to_who_waits_for_it(holders):
    one, other = holders
    one.ask("acquire a 1")
    assert other.ask("acquire a 1") == "no"
    other.say("until a 1")

    one.ask("release a")

    assert other.answer() == "yes"


def test_the_slots_of_a_killed_process_are_free(tmp_path, holders):
    doomed = Holder(tmp_path)
    for _ in range(3):
        assert doomed.ask("acquire a 3") == "yes"
    assert holders[0].ask("acquire a 3") == "no"

    doomed.end(kill=True)

    assert [holders[0].ask("until a 3") for _ in range(3)] == ["yes"] * 3
    assert holders[1].ask("acquire a 3") == "no"


def test_a_process_that_never_stops_asking_leaves_others_their_share(holders):
    for holder in holders:
        holder.say("press a 1 2")

    counts = [int(holder.answer()) for holder in holders]

    assert min(counts) > 50, counts


def test_the_last_free_one_of_many_is_found(holders):
    one, other = holders
    for _ in range(499):
        assert one.ask("acquire everywhere 500") == "yes"

    assert other.ask("until everywhere 500") == "yes"
    assert other.ask("acquire everywhere 500") == "no"


def test_a_lower_bound_of_a_reloaded_process_counts_what_the_other_holds_below_it(holders):
    one, other = holders
    assert [one.ask("acquire a 8") for _ in range(8)] == ["yes"] * 8

    assert other.ask("acquire a 2") == "no"


async def test_what_is_spare_is_given_back_and_forgotten(slots, holders):
    assert slots.acquire("a", 1)
    slots.release("a")
    assert len(slots) == 1

    await until(lambda: len(slots) == 0)

    assert holders[0].ask("acquire a 1") == "yes"


async def test_ten_thousand_names_leave_nothing_behind(slots):
    for number in range(10_000):
        assert slots.acquire(f"h{number}", 8)
        slots.release(f"h{number}")
    assert len(slots) < 100

    await until(lambda: len(slots) == 0)


async def test_after_closing_nothing_is_given_out_and_leaving_does_no_harm(slots):
    assert slots.acquire("a", 2)
    slots.close()
    slots.close()

    slots.release("a")
    assert not slots.acquire("a", 2)
    slots.close()


def test_a_directory_that_cannot_be_used_is_told(tmp_path):
    blocker = tmp_path / "state"
    blocker.write_text("a file where the directory should be")

    with pytest.raises(PermitStoreError, match=r"slots\.lock cannot be used"):
        LockedSlots(blocker, SystemClock()).open()


async def test_only_this_user_may_open_the_file(slots, tmp_path):
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
