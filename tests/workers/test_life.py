import asyncio
import os
import signal

import pytest

from sluicegate.clock import ManualClock, SystemClock
from sluicegate.workers.life import Life
from sluicegate.workers.messages import Drain, EndNow


@pytest.fixture
async def begin(loaded, listening):
    lives = []

    async def make(clock=None):
        accepting = asyncio.Event()
        one = await Life.begin(listening, loaded, clock or SystemClock(), accepting.set)
        lives.append((one, asyncio.get_running_loop().create_task(one.until_end())))
        return *lives[-1], accepting

    yield make
    for one, ending in lives:
        one.kill()
        await ending


async def test_a_worker_accepts_reports_is_configured_and_ends(begin, stand_in, loaded):
    stand_in("good")
    life, ending, accepting = await begin()

    assert await asyncio.wait_for(life.settled, 20) is None
    assert accepting.is_set()
    assert life.accepts
    assert (await asyncio.wait_for(life.ask(), 20)).status["totals"] == {"requests": 1}
    assert (await asyncio.wait_for(life.configure(loaded), 20)).error == ""
    life.order(Drain())

    assert await asyncio.wait_for(ending, 20) == "exit code 0"
    assert life.report.last
    assert life.report.status["totals"] == {"requests": 2}
    assert not life.accepts


async def test_why_it_could_not_start_is_told(begin, stand_in):
    stand_in("fails")
    life, ending, accepting = await begin()

    failure = await asyncio.wait_for(life.settled, 20)

    assert (str(failure), failure.advice) == ("There is no room.", "Make some.")
    assert "exit code 2: There is no room." in await ending
    assert not accepting.is_set()


async def test_an_end_without_a_word_is_told_by_its_exit_code(begin, stand_in):
    stand_in("dies")
    life, _, _ = await begin()

    assert "exit code 3" in str(await asyncio.wait_for(life.settled, 20))


async def test_a_kill_is_told_by_its_signal_and_nobody_waits_for_its_answers(begin, stand_in, loaded):
    stand_in("silent")
    life, ending, _ = await begin()
    await asyncio.wait_for(life.settled, 20)
    report, configured = life.ask(), life.configure(loaded)
    await asyncio.wait_for(configured, 20)

    life.kill()

    assert await asyncio.wait_for(ending, 20) == "signal 9, SIGKILL"
    assert report.cancelled()


async def test_a_worker_that_does_not_answer_is_not_asked_again_and_again(begin, stand_in):
    stand_in("silent")
    clock = ManualClock()
    life, _, _ = await begin(clock)
    await asyncio.wait_for(life.settled, 20)

    first = life.ask()
    assert life.ask() is not first
    assert life.responding
    await clock.advance(1.5)

    assert not life.responding
    assert life.ask() is life.ask()


async def test_a_worker_is_out_of_reach_of_the_terminal(begin, stand_in):
    stand_in("deaf")
    life, ending, _ = await begin()
    await asyncio.wait_for(life.settled, 20)

    assert os.getsid(life.pid) == life.pid
    life.order(EndNow())
    os.kill(life.pid, signal.SIGTERM)
    assert not ending.done()
