"""What passes the gate, when, and in which order."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.clock import ManualClock
from sluicegate.core.events import Permitted, Rejected
from sluicegate.core.limits.table import LimitTable
from sluicegate.errors import LimiterUnavailable, QueueFull, WaitTooLong
from sluicegate.gate.gate import Ask, HostStatus
from sluicegate.gate.turn import IDLE_HOSTS
from sluicegate.stores.permits.sqlite import SqlitePermitStore
from support.gatekit import Kit, limit, most_in_a_window


async def test_an_idle_host_takes_a_burst_and_the_rest_is_paced(kit):
    made = kit(limit("10/second", concurrency=100))
    for i in range(14):
        made.start(f"r{i}")
    await made.clock.advance(0.5)
    assert len(made.sent) == 10

    await made.clock.advance(1.0)
    waits = [round(at - 1_000, 2) for at in made.times()[10:]]
    assert waits == [1.01, 1.11, 1.21, 1.31]


async def test_requests_leave_in_the_order_they_came(kit):
    made = kit(limit("4/second", concurrency=2, max_wait_s=1_000))
    for i in range(40):
        made.start(f"r{i}", hold_s=0.05)

    await made.clock.advance(20)

    assert made.names() == [f"r{i}" for i in range(40)]


async def test_a_standing_queue_uses_what_the_limit_allows_and_no_more(kit):
    made = kit(limit("20/second", max_wait_s=1_000))

    async def client():
        while True:
            await made.send(hold_s=0.01)

    clients = [asyncio.get_running_loop().create_task(client()) for _ in range(64)]
    await made.clock.advance(60)
    for task in clients:
        task.cancel()
    await asyncio.gather(*clients, return_exceptions=True)

    assert most_in_a_window(made.times(), 1.0) <= 20
    assert len(made.sent) >= 60 * 20 * 0.97
    assert made.nothing_held()


async def test_another_host_is_not_delayed(kit):
    made = kit(limit("1/3second", max_wait_s=1_000), {"free": limit("100/second")}, max_inflight=20)
    for i in range(100):
        made.start(f"r{i}", host=f"slow{i % 10}")
    await made.clock.advance(1)

    task = made.start("other", host="free")
    await made.clock.settle()

    assert task.done()
    assert task.result().waited_s == 0


async def test_an_unlimited_host_never_troubles_the_store(kit):
    made = kit(limit("unlimited", concurrency=3))
    for i in range(50):
        made.start(f"r{i}", hold_s=0.1)
    await made.clock.advance(2)

    assert len(made.sent) == 50
    assert made.store.asked == 0


async def test_concurrency_bounds_the_requests_in_flight(kit):
    made = kit(limit(concurrency=3))
    for i in range(9):
        made.start(f"r{i}", hold_s=1.0)

    await made.clock.settle()
    assert made.gate.snapshot() == [HostStatus("a", "test", queue=6, in_flight=3)]
    await made.clock.advance(1.5)
    assert len(made.sent) == 6


async def test_the_global_bound_holds_over_all_hosts(kit):
    made = kit(limit(concurrency=8), max_inflight=5)
    for i in range(12):
        made.start(f"r{i}", host=f"h{i}", hold_s=1.0)

    await made.clock.settle()
    assert made.gate.in_flight == 5
    await made.clock.advance(1.5)
    assert made.gate.in_flight == 5
    await made.clock.advance(2)
    assert made.names() == [f"r{i}" for i in range(12)]


async def test_one_that_is_still_connecting_holds_up_nobody(kit):
    made = kit(limit("10/second"))
    made.start("connecting", connect_s=30)
    await made.clock.settle()
    for i in range(15):
        made.start(f"r{i}")

    await made.clock.advance(3)
    assert len(made.sent) == 15
    await made.clock.advance(30)
    assert made.names()[-1] == "connecting"


async def test_those_who_wait_for_the_rate_hold_few_slots(kit):
    """A turn is let in shortly before its permit: global slots and connections are for those that can use them."""
    made = kit(limit("1/3second", concurrency=8, max_wait_s=1_000))
    for i in range(20):
        made.start(f"r{i}")

    await made.clock.advance(1)

    assert made.gate.snapshot() == [HostStatus("a", "test", queue=19, in_flight=1)]
    assert made.gate.in_flight == 1


async def test_a_full_queue_refuses_at_once(kit):
    made = kit(limit("2/second", max_queue=3, concurrency=100))
    for i in range(5):
        made.start(f"r{i}")
    await made.clock.settle()

    with pytest.raises(QueueFull) as refused:
        await made.send("one too many")

    assert 1 < refused.value.retry_after_s < 3
    assert "max_queue" in str(refused.value)
    assert [event.why for event in made.events.of(Rejected)] == ["queue_full"]
    assert len(made.sent) == 2


async def test_max_queue_zero_lets_through_what_need_not_wait(kit):
    made = kit(limit("2/second", max_queue=0))
    await made.send()
    await made.send()

    with pytest.raises(QueueFull):
        await made.send()


async def test_a_wait_that_would_be_too_long_is_refused_at_once_and_truthfully(kit):
    made = kit(limit("2/hour", max_wait_s=60))
    await made.send()
    await made.send()

    with pytest.raises(WaitTooLong) as refused:
        await made.send("third")
    assert refused.value.retry_after_s == pytest.approx(3_600, rel=0.02)
    assert [event.why for event in made.events.of(Rejected)] == ["max_wait"]

    await made.clock.advance(refused.value.retry_after_s)
    assert (await made.send("again")).waited_s == 0


async def test_as_many_wait_as_can_be_served_in_max_wait(kit):
    made = kit(limit("10/second", max_wait_s=5, concurrency=4))
    tasks = [made.start(f"r{i}") for i in range(100)]

    await made.clock.advance(0)
    refused = sum(task.done() and isinstance(task.exception(), WaitTooLong) for task in tasks)
    await made.clock.advance(10)

    assert 40 <= refused <= 50
    assert len(made.sent) + refused == 100
    assert made.times()[-1] - made.times()[0] <= 5


async def test_a_wait_for_a_slot_ends_at_max_wait(kit):
    made = kit(limit(concurrency=1, max_wait_s=2))
    made.start("long", hold_s=60)
    waiting = made.start("waiting")

    await made.clock.advance(1.9)
    assert not waiting.done()
    await made.clock.advance(0.2)

    assert isinstance(waiting.exception(), WaitTooLong)
    assert made.gate.in_flight == 1


async def test_max_wait_counts_from_the_entrance(kit):
    made = kit(limit("1/second", max_wait_s=2))
    await made.send()
    slow = made.start("slow to connect", connect_s=1.0)
    await made.clock.advance(0.9)
    for _ in range(1):
        made.start("quick")

    await made.clock.advance(0.5)

    assert isinstance(slow.exception(), WaitTooLong)
    assert made.names() == ["", "quick"]


async def test_a_second_permit_of_the_same_turn_costs_a_second_permit(kit):
    made = kit(limit("2/second"))
    turn = await made.gate.enter(Ask("r", "a"))
    await turn.permit()
    await turn.permit()

    again = asyncio.get_running_loop().create_task(turn.permit())
    await made.clock.advance(0.5)
    assert not again.done()
    await made.clock.advance(0.6)
    assert again.done()
    turn.leave()

    assert len(made.store.times) == 3
    assert made.nothing_held()


async def test_leaving_twice_frees_one_slot(kit):
    made = kit(limit(concurrency=1))
    turn = await made.gate.enter(Ask("r", "a"))
    turn.leave()
    turn.leave()

    for i in range(3):
        made.start(f"r{i}", hold_s=1)
    await made.clock.settle()
    assert made.gate.snapshot()[0].in_flight == 1


async def test_nothing_runs_between_the_permit_and_its_use(kit):
    made = kit(limit("5/second", concurrency=100))
    order = []

    def on_permit():
        order.append("permit")
        asyncio.get_running_loop().call_soon(order.append, "another task")

    made.store.on_permit = on_permit

    async def client():
        turn = await made.gate.enter(Ask("r", "a"))
        await turn.permit()
        order.append("sent")
        turn.leave()

    await asyncio.gather(*(client() for _ in range(5)))
    late = asyncio.get_running_loop().create_task(client())
    await made.clock.advance(2)
    await late

    at = [index for index, word in enumerate(order) if word == "permit"]
    assert len(at) == 6
    assert all(order[index + 1] == "sent" for index in at)


async def test_only_the_first_in_line_asks_and_it_sleeps_in_between(kit):
    made = kit(limit("1/3second", concurrency=100, max_wait_s=1_000))
    for i in range(20):
        made.start(f"r{i}")
    await made.clock.advance(59)

    assert len(made.sent) == 20
    assert made.store.asked <= 4 * 20


async def test_new_limits_take_effect_for_those_who_wait(kit):
    made = kit(limit("1/hour", max_wait_s=1_000_000))
    for i in range(5):
        made.start(f"r{i}")
    await made.clock.advance(10)
    assert len(made.sent) == 1

    made.gate.configure(LimitTable(limit("10/second", name="faster"), {}), 500)
    await made.clock.advance(1)

    assert made.names() == [f"r{i}" for i in range(5)]
    assert made.nothing_held()


async def test_new_limits_forget_nothing_that_was_spent(kit):
    made = kit(limit("10/min", concurrency=20, max_wait_s=1_000))
    for i in range(10):
        made.start(f"r{i}")
    await made.clock.settle()

    made.gate.configure(LimitTable(limit("5/min", max_wait_s=1_000), {}), 500)
    made.start("after")
    await made.clock.advance(59)
    assert len(made.sent) == 10
    await made.clock.advance(2)
    assert made.names()[-1] == "after"


async def test_a_limit_that_is_lifted_lets_everybody_go(kit):
    made = kit(limit("1/hour", max_wait_s=1_000_000, concurrency=4))
    for i in range(30):
        made.start(f"r{i}")
    await made.clock.advance(1)

    made.gate.configure(LimitTable(limit("unlimited", concurrency=4), {}), 500)
    await made.clock.settle()
    await made.clock.settle()

    assert len(made.sent) == 30


async def test_more_slots_are_given_out_as_soon_as_there_are_more(kit):
    made = kit(limit(concurrency=1), max_inflight=1)
    for i in range(6):
        made.start(f"r{i}", hold_s=100)
    await made.clock.settle()

    made.gate.configure(LimitTable(limit(concurrency=4), {}), 3)
    await made.clock.settle()
    assert made.gate.in_flight == 3
    made.gate.configure(LimitTable(limit(concurrency=4), {}), 500)
    await made.clock.settle()
    assert made.gate.in_flight == 4


async def test_a_shorter_max_wait_takes_effect_for_those_who_wait(kit):
    made = kit(limit(concurrency=1, max_wait_s=1_000))
    made.start("long", hold_s=500)
    waiting = made.start("waiting")
    await made.clock.advance(10)

    made.gate.configure(LimitTable(limit(concurrency=1, max_wait_s=5), {}), 500)
    await made.clock.settle()

    assert isinstance(waiting.exception(), WaitTooLong)


async def test_the_events_tell_how_long_was_waited(kit):
    made = kit(limit("1/3second"))
    made.start("first")
    made.start("second")
    await made.clock.advance(5)

    first, second = made.events.of(Permitted)
    assert (first.request_id, first.wait_s) == ("first", 0)
    assert second.request_id == "second"
    assert second.wait_s == pytest.approx(3.03)


async def test_closing_refuses_those_who_wait(kit):
    made = kit(limit("1/hour", max_wait_s=1_000_000, concurrency=3))
    first = made.start("r0")
    rest = [made.start(f"r{i}") for i in range(1, 9)]
    await made.clock.advance(1)

    await made.gate.aclose()
    await made.clock.settle()

    assert first.result()
    assert all(isinstance(task.exception(), LimiterUnavailable) for task in rest)
    assert made.nothing_held()


@settings(max_examples=30, deadline=None)
@given(
    rates=st.sampled_from(["3/second", "1/500ms 4/3second", "5/100ms 20/min"]),
    concurrency=st.integers(1, 4),
    max_inflight=st.integers(1, 4),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("start"), st.sampled_from("ab"), st.floats(0, 0.5), st.floats(0, 0.5)),
            st.tuples(st.just("advance"), st.floats(0, 2)),
            st.tuples(st.just("cancel"), st.integers(0, 100)),
            st.tuples(st.just("reload"), st.integers(1, 5)),
        ),
        max_size=50,
    ),
)
def test_whatever_happens_no_window_is_exceeded_and_nothing_is_left_behind(rates, concurrency, max_inflight, steps):
    async def drive():
        made = Kit(limit(rates, concurrency=concurrency, max_wait_s=5), max_inflight=max_inflight)
        tasks = []
        for step in steps:
            match step:
                case ("start", host, connect_s, hold_s):
                    tasks.append(made.start("r", host=host, connect_s=connect_s, hold_s=hold_s))
                case ("advance", delta_s):
                    await made.clock.advance(delta_s)
                case ("cancel", index) if tasks:
                    tasks[index % len(tasks)].cancel()
                case ("reload", more):
                    made.gate.configure(LimitTable(limit(rates, concurrency=more, max_wait_s=5), {}), more)
                case _:
                    pass
            assert made.gate.in_flight <= max(max_inflight, 5)
        await made.clock.advance(30)
        assert all(task.done() for task in tasks)
        for rate in limit(rates).rates:
            for host in "ab":
                assert most_in_a_window(made.times(host), rate.window_s) <= rate.count
        assert len(made.store.times) == len(made.sent)
        assert made.nothing_held()
        await made.close()

    asyncio.run(drive())


async def test_two_gates_on_one_file_keep_one_limit(kit, tmp_path):
    clock = ManualClock()
    gates = [
        kit(limit("20/second", max_wait_s=1_000), clock=clock, store=SqlitePermitStore(tmp_path, clock))
        for _ in range(2)
    ]
    for made in gates:
        for i in range(200):
            made.start(f"r{i}")

    await clock.advance(10)

    times = gates[0].times() + gates[1].times()
    assert most_in_a_window(times, 1.0) <= 20
    assert len(times) >= 10 * 20 * 0.97


async def test_the_store_is_not_asked_for_a_prediction_while_permits_are_known_to_be_free(kit):
    made = kit(limit("100/second", concurrency=200))
    for i in range(40):
        await made.send(f"r{i}")

    assert len(made.sent) == 40
    assert made.store.predicted == 1


async def test_nobody_who_would_have_to_wait_is_let_in_on_an_old_hint(kit):
    """Others spend the permits that this gate believes to be free."""
    clock = ManualClock()
    one, other = (kit(limit("100/hour", max_wait_s=5), clock=clock) for _ in range(2))
    other.gate._desk.store = one.store
    await one.send()
    for i in range(99):
        await other.send(f"r{i}")

    with pytest.raises(WaitTooLong):
        await one.send("late")

    assert len(one.sent) + len(other.sent) == 100
    assert one.nothing_held()


async def test_ten_thousand_hosts_that_nobody_asks_for_are_not_all_remembered(kit):
    made = kit(limit())
    for i in range(10_000):
        await made.send(host=f"h{i}")

    assert len(made.gate._desk.hosts) <= IDLE_HOSTS + 1
    assert made.nothing_held()


async def test_max_queue_zero_refuses_what_would_wait_for_a_slot(kit):
    made = kit(limit(concurrency=1, max_queue=0))
    first = await made.gate.enter(Ask("first", "a"))

    with pytest.raises(QueueFull):
        await made.send("second")
    first.leave()

    assert made.nothing_held()
