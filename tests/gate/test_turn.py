"""Leaving at each point where a turn can wait: nothing is held, nothing is spent. And a store that fails."""

import asyncio

import pytest

from sluicegate.core.events import Abandoned, Permitted, Rejected
from sluicegate.core.limits.table import LimitTable
from sluicegate.errors import LimiterUnavailable, PermitStoreBusy, PermitStoreError, WaitTooLong
from sluicegate.gate.gate import Ask
from support.gatekit import limit


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelled_in_the_queue(kit):
    made = kit(limit(concurrency=1))
    first = made.start("first", hold_s=1)
    second, third = made.start("second", hold_s=1), made.start("third", hold_s=1)
    await made.clock.settle()

    await cancelled(second)
    await made.clock.advance(3)

    assert made.names() == ["first", "third"]
    assert [event.request_id for event in made.events.of(Abandoned)] == ["second"]
    assert first.done()
    assert third.done()
    assert made.nothing_held()


async def test_cancelled_while_it_waits_for_a_global_slot(kit):
    made = kit(limit(concurrency=1), max_inflight=1)
    made.start("first", host="a", hold_s=1)
    lobby = made.start("lobby", host="b", hold_s=1)
    made.start("third", host="b", hold_s=1)
    await made.clock.settle()

    await cancelled(lobby)
    await made.clock.advance(3)

    assert made.names() == ["first", "third"]
    assert made.nothing_held()


async def test_cancelled_in_the_step_that_gave_it_the_slot(kit):
    made = kit(limit(concurrency=1))
    holder = await made.gate.enter(Ask("holder", "a"))
    waiting = made.start("waiting")
    await made.clock.settle()

    holder.leave()
    await cancelled(waiting)

    assert made.sent == []
    assert made.nothing_held()


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_cancelled_in_the_line_for_a_permit(kit, place):
    made = kit(limit("4/second", concurrency=10))
    for i in range(4):
        made.start(f"r{i}")
    await made.clock.settle()
    line = [made.start(f"w{i}") for i in range(3)]
    await made.clock.advance(0.5)

    await cancelled(line[place])
    await made.clock.advance(3)

    assert made.names()[4:] == [f"w{i}" for i in range(3) if i != place]
    assert len(made.store.times) == 6
    assert made.nothing_held()


async def test_cancelled_in_the_step_that_woke_it_for_its_permit(kit):
    made = kit(limit("1/second"))
    await made.send()
    waiting = made.start("waiting")
    await made.clock.settle()
    made.gate._desk.timers.call_at(made.clock.now() + 1.01, waiting.cancel)

    await made.clock.advance(5)

    assert waiting.cancelled()
    assert len(made.store.times) == 1
    assert made.nothing_held()


async def test_cancelled_while_the_store_is_busy(kit):
    made = kit(limit("4/second"))
    made.store.failure = PermitStoreBusy("held")
    waiting = made.start("waiting")
    await made.clock.advance(0.01)

    await cancelled(waiting)

    assert made.store.times == []
    assert made.nothing_held()


async def test_a_turn_whose_permit_is_refused_has_left(kit):
    made = kit(limit("10/second"))
    await made.send()
    turn = await made.gate.enter(Ask("r", "a"))
    made.gate.configure(LimitTable(limit("1/hour", max_wait_s=5), {}), 500)

    with pytest.raises(WaitTooLong) as refused:
        await turn.permit()

    assert refused.value.retry_after_s > 3_000
    assert made.nothing_held()


async def test_a_busy_store_is_asked_again_shortly(kit):
    made = kit(limit("4/second"))
    made.store.failure = PermitStoreBusy("held")
    waiting = made.start("waiting")
    await made.clock.advance(0.05)
    assert made.store.asked > 10

    made.store.failure = None
    await made.clock.advance(0.005)

    assert waiting.done()
    assert made.names() == ["waiting"]


async def test_a_store_that_fails_gives_no_permit_and_an_answer_after_some_seconds(kit):
    made = kit(limit("4/second", concurrency=100))
    made.store.failure = PermitStoreError("the disk is gone", advice="Find it.")
    tasks = [made.start(f"r{i}") for i in range(20)]

    await made.clock.advance(2.5)
    assert not any(task.done() for task in tasks)
    await made.clock.advance(1)

    assert all(isinstance(task.exception(), LimiterUnavailable) for task in tasks)
    assert "the disk is gone" in str(tasks[0].exception())
    assert tasks[0].exception().advice == "Find it."
    assert {event.why for event in made.events.of(Rejected)} == {"unavailable"}
    assert made.sent == []
    assert made.nothing_held()


async def test_a_store_that_comes_back_is_used_again(kit):
    made = kit(limit("4/second"))
    made.store.failure = PermitStoreError("the disk is gone")
    first = made.start("first")
    await made.clock.advance(10)
    assert first.done()

    made.store.failure = None
    await made.send("second")
    made.store.failure = PermitStoreError("the disk is gone again")
    third = made.start("third")
    await made.clock.advance(2)
    assert not third.done()
    made.store.failure = None
    await made.clock.advance(0.2)

    assert made.names() == ["second", "third"]


async def test_the_waits_add_up(kit):
    made = kit(limit("1/second", concurrency=1))
    made.start("first", hold_s=0.4)
    second = made.start("second")
    await made.clock.advance(3)

    assert second.result().waited_s == pytest.approx(1.01)
    assert made.events.of(Permitted)[1].wait_s == pytest.approx(1.01)


async def test_a_turn_tells_its_limit_and_key(kit):
    made = kit(limit("1/second", name="default"))
    turn = await made.gate.enter(Ask("r", "EXAMPLE.org."))

    assert turn.limit.name == "default"
    assert turn.key == "example.org"
    turn.leave()


async def test_a_request_that_leaves_late_counts_from_then_on(kit):
    made = kit(limit("1/second"))
    turn = await made.gate.enter(Ask("late", "a"))
    await turn.permit()
    await made.clock.advance(0.5)
    turn.sent()
    turn.leave()
    other = await made.gate.enter(Ask("next", "a"))
    waiting = asyncio.get_running_loop().create_task(other.permit())
    await made.clock.advance(0.9)
    assert not waiting.done()
    await made.clock.advance(0.2)

    assert await waiting
    other.leave()


async def test_a_late_request_is_recorded_even_if_the_store_is_busy_at_first(kit):
    made = kit(limit("1/second"))
    turn = await made.gate.enter(Ask("late", "a"))
    await turn.permit()
    await made.clock.advance(0.5)
    put_off, failures = made.store.postpone, [PermitStoreBusy("busy"), PermitStoreBusy("busy")]
    recorded = []

    def busy(key, at, sent):
        if failures:
            raise failures.pop()
        recorded.append((at, sent))
        put_off(key, at, sent)

    made.store.postpone = busy
    turn.sent()
    assert recorded == []
    sent = made.clock.now()
    await made.clock.advance(0.1)
    turn.leave()

    assert [when for _, when in recorded] == [sent]


async def test_a_request_that_leaves_at_once_is_not_recorded_twice(kit):
    made = kit(limit("1/second"))
    turn = await made.gate.enter(Ask("prompt", "a"))
    await turn.permit()
    made.store.postpone = None
    turn.sent()
    await made.clock.advance(0.5)
    turn.sent()
    turn.leave()


async def test_a_turn_that_waits_for_nothing_needs_no_task_and_is_counted_like_any(kit):
    made = kit(limit("2/second"))
    await made.send("first")
    turn = made.gate.enter_now(Ask("second", "a"))
    assert turn.permit_now()
    turn.sent()
    assert made.gate.in_flight == 1
    assert [event.request_id for event in made.events.of(Permitted)] == ["first", "second"]
    assert made.gate.enter_now(Ask("third", "a")) is None
    turn.leave()

    assert made.nothing_held()


async def test_a_permit_that_is_not_to_be_had_at_once_spends_nothing_and_can_be_waited_for(kit):
    made = kit(limit("2/second"))
    await made.send("first")
    turns = [made.gate.enter_now(Ask(name, "a")) for name in ("second", "late")]
    assert turns[1] is None
    assert turns[0].permit_now()
    assert not turns[0].permit_now()
    waiting = asyncio.get_running_loop().create_task(turns[0].permit())
    await made.clock.advance(2)

    assert await waiting
    turns[0].leave()
    assert made.nothing_held()


async def test_a_store_that_fails_gives_no_permit_at_once(kit):
    made = kit(limit("2/second"))
    await made.send("first")
    turn = made.gate.enter_now(Ask("second", "a"))

    def fails(*_key, **_options):
        raise PermitStoreBusy("held")

    made.store.take_now = fails
    assert not turn.permit_now()
    turn.leave()

    assert len(made.events.of(Permitted)) == 1
    assert made.nothing_held()


async def test_whoever_waits_in_line_goes_first(kit):
    made = kit(limit("1/second"))
    await made.send("first")
    made.start("second")
    await made.clock.settle()

    assert made.gate.enter_now(Ask("third", "a")) is None
    await made.clock.advance(2)
    assert made.names() == ["first", "second"]
    assert made.nothing_held()
