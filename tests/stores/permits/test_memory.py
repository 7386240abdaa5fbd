from sluicegate.clock import ManualClock
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.rates import parse_rates
from sluicegate.stores.permits.memory import MemoryPermitStore

TEN = Limit("ten", parse_rates("10/second"))
HOUR = Limit("hour", parse_rates("3000/hour"))


async def test_hosts_that_nobody_asks_any_more_are_forgotten():
    clock = ManualClock()
    store = MemoryPermitStore(clock)
    for i in range(200):
        await store.take(f"h{i}", TEN, queued=False)
    await clock.advance(60)

    for _ in range(150):
        await store.take("busy", TEN, queued=False)
        await clock.advance(1)

    assert len(store) == 1


async def test_a_host_with_a_long_window_is_remembered_while_it_counts():
    clock = ManualClock()
    store = MemoryPermitStore(clock)
    await store.take("slow", Limit("slow", parse_rates("1/hour")), queued=False)
    await clock.advance(3_000)

    for i in range(50):
        await store.take(f"h{i}", TEN, queued=False)

    assert not (await store.take("slow", Limit("slow", parse_rates("1/hour")), queued=False)).admitted


async def test_expired_permits_of_a_busy_host_take_no_room():
    clock = ManualClock()
    store = MemoryPermitStore(clock)
    for _ in range(10_000):
        await store.take("busy", TEN, queued=False)
        await clock.advance(0.2)

    assert len(store._logs["busy"].times) < 3_000
