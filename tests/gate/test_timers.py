import asyncio

import pytest

from sluicegate.clock import ManualClock, SystemClock
from sluicegate.gate.timers import Timers


@pytest.fixture
def clock():
    return ManualClock(now=0.0)


@pytest.fixture
def timers(clock):
    timers = Timers(clock)
    yield timers
    timers.close()


async def test_calls_come_in_the_order_of_their_times(clock, timers):
    calls = []
    for at in (3.0, 1.0, 2.0):
        timers.call_at(at, lambda at=at: calls.append((at, clock.now())))

    await clock.advance(10)

    assert calls == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]


async def test_a_call_that_was_called_off_does_not_come(clock, timers):
    calls = []
    timer = timers.call_at(1.0, lambda: calls.append("first"))
    timers.call_at(2.0, lambda: calls.append("second"))

    timer.cancel()
    timer.cancel()
    await clock.advance(10)

    assert calls == ["second"]


async def test_a_call_for_a_time_that_has_passed_comes_soon(clock, timers):
    calls = []
    await clock.advance(5)
    timers.call_at(1.0, lambda: calls.append("late"))

    await clock.settle()

    assert calls == ["late"]


async def test_an_earlier_call_comes_before_one_that_is_slept_for(clock, timers):
    calls = []
    timers.call_at(100.0, lambda: calls.append("late"))
    await clock.advance(1)
    timers.call_at(2.0, lambda: calls.append("early"))

    await clock.advance(2)

    assert calls == ["early"]


async def test_many_that_were_called_off_take_no_room(clock, timers):
    for i in range(50_000):
        timers.call_at(1_000.0 + i, lambda: None).cancel()

    assert len(timers._heap) < 3_000


async def test_closed_it_calls_nobody(clock, timers):
    calls = []
    timers.call_at(1.0, lambda: calls.append("never"))

    timers.close()
    await clock.advance(5)

    assert calls == []


async def test_it_works_on_the_real_clock():
    clock = SystemClock()
    timers = Timers(clock)
    called = asyncio.Event()
    at = clock.now() + 0.02
    timers.call_at(clock.now() + 3_600 * 24 * 365, called.clear)
    timers.call_at(at, called.set)

    async with asyncio.timeout(10):
        await called.wait()

    assert clock.now() >= at
    timers.close()
