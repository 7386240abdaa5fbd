import asyncio

from sluicegate.clock import ManualClock, SystemClock


async def test_the_system_clock_never_goes_back():
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0)

    assert clock.now() >= before


async def test_sleepers_wake_in_order_at_their_own_times():
    clock = ManualClock(now=0)
    woken = []

    async def sleeper(delay_s):
        await clock.sleep(delay_s)
        woken.append((delay_s, clock.now()))

    tasks = [asyncio.get_running_loop().create_task(sleeper(delay_s)) for delay_s in (3, 1, 2)]
    await clock.advance(2.5)
    assert woken == [(1, 1.0), (2, 2.0)]
    assert clock.next_wakeup == 3.0
    await clock.advance(0.5)
    await asyncio.gather(*tasks)

    assert woken[-1] == (3, 3.0)


async def test_a_cancelled_sleeper_is_forgotten():
    clock = ManualClock(now=0)
    task = asyncio.get_running_loop().create_task(clock.sleep(1))
    await clock.settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert clock.next_wakeup is None


def test_the_wall_may_jump_while_now_does_not():
    clock = ManualClock(now=5, wall=1000)
    clock.jump_wall(-3600)

    assert (clock.now(), clock.wall()) == (5, -2600)
