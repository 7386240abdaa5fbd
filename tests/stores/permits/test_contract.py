"""What every permit store promises, asked of each."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.clock import ManualClock
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.core.limits.rates import parse_rates
from sluicegate.stores.permits.memory import MemoryPermitStore
from sluicegate.stores.permits.sqlite import SqlitePermitStore


def limit(rates, **options):
    return Limit("test", parse_rates(rates), **options)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, clock, tmp_path):
    store = MemoryPermitStore(clock) if request.param == "memory" else SqlitePermitStore(tmp_path, clock)
    yield store
    await store.aclose()


async def burst(store, key, limit):
    count = 0
    while (await store.take(key, limit, queued=False)).admitted:
        count += 1
    return count


async def test_a_window_gives_its_count_and_no_more(store, clock):
    assert await burst(store, "a", limit("5/second")) == 5

    await clock.advance(1.0)
    assert await burst(store, "a", limit("5/second")) == 0
    await clock.advance(0.1)
    assert await burst(store, "a", limit("5/second")) == 5


async def test_keys_do_not_share_permits(store):
    assert [await burst(store, key, limit("3/second")) for key in "abc"] == [3, 3, 3]


async def test_the_wait_of_a_refusal_is_long_enough(store, clock):
    await burst(store, "a", limit("2/second"))
    refused = await store.take("a", limit("2/second"), queued=False)

    assert refused.rate == Rate(1, 2)
    await clock.advance(refused.wait_s)
    assert (await store.take("a", limit("2/second"), queued=True)).admitted


async def test_a_refusal_spends_nothing(store, clock):
    await burst(store, "a", limit("2/second"))
    for _ in range(50):
        await store.take("a", limit("2/second"), queued=True)

    await clock.advance(1.1)
    assert (await store.take("a", limit("2/second"), queued=True)).admitted


async def test_permits_are_paced_while_a_queue_stands(store, clock):
    await store.take("a", limit("10/second"), queued=True)

    refused = await store.take("a", limit("10/second"), queued=True)
    assert 0.1 <= refused.wait_s <= 0.11


async def test_prediction_takes_nothing_and_tells_the_wait(store):
    five = limit("5/second")
    assert [await store.predict("a", five, ahead) for ahead in (0, 4, 4, 4)] == [0, 0, 0, 0]
    assert await store.predict("a", five, 5) > 1

    assert await burst(store, "a", five) == 5
    assert 1 < await store.predict("a", five, 0) < 1.1
    assert 1.2 < await store.predict("a", five, 1) < 1.3


async def test_a_limit_that_changes_finds_what_was_spent(store, clock):
    assert await burst(store, "a", limit("10/second")) == 10

    assert await burst(store, "a", limit("12/second", burst=30)) == 0
    await clock.advance(0.2)
    assert await burst(store, "a", limit("12/second")) == 2
    assert await burst(store, "a", limit("4/second")) == 0


async def test_permits_are_kept_for_the_longest_window_ever_in_force(store, clock):
    long, short = limit("300/hour"), limit("100/second")
    assert await burst(store, "a", long) == 300
    await clock.advance(1)
    for _ in range(300):
        await clock.advance(0.5)
        assert (await store.take("a", short, queued=False)).admitted

    refused = await store.take("a", long, queued=False)
    assert refused.wait_s > 3_000


async def test_a_long_log_counts_to_the_last_permit(store, clock):
    assert await burst(store, "a", limit("2500/hour")) == 2500

    await clock.advance(3_599.0)
    assert await burst(store, "a", limit("2500/hour")) == 0
    await clock.advance(2.0)
    assert await burst(store, "a", limit("2500/hour")) == 2500


async def test_unlimited_is_never_refused_nor_recorded(store):
    unlimited = Limit("free")

    assert (await store.take("a", unlimited, queued=True)).admitted
    assert await store.predict("a", unlimited, 1_000_000) == 0
    assert await burst(store, "a", limit("3/second")) == 3


async def test_a_store_answers_without_suspending(store):
    taking = store.take("a", limit("1/second"), queued=False)

    with pytest.raises(StopIteration) as returned:
        taking.send(None)
    assert returned.value.value.admitted


async def test_a_very_large_rate_is_kept_without_a_burst(store, clock):
    large = Limit("large", (Rate(86_400, 1_000_000),))

    assert await burst(store, "a", large) == 1
    await clock.advance(0.0865)
    assert await burst(store, "a", large) == 1


async def test_closing_twice_does_no_harm(store):
    await store.take("a", limit("1/second"), queued=False)

    await store.aclose()
    await store.aclose()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@settings(max_examples=25, deadline=None)
@given(
    rates=st.lists(st.sampled_from(["3/second", "1/500ms", "10/7second", "20/min"]), min_size=1, max_size=3),
    steps=st.lists(st.tuples(st.floats(0, 2), st.booleans(), st.floats(-90, 90)), max_size=60),
)
def test_no_window_is_exceeded_whatever_arrives_and_whatever_the_wall_clock_does(kind, rates, steps, tmp_path_factory):
    async def drive():
        clock = ManualClock()
        directory = tmp_path_factory.mktemp("permits")
        stores = [MemoryPermitStore(clock)]
        if kind == "sqlite":
            stores = [SqlitePermitStore(directory, clock, boot="b") for _ in range(2)]
        times = []
        under = limit(rates)
        for index, (gap_s, queued, wall_jump_s) in enumerate(steps):
            await clock.advance(gap_s)
            clock.jump_wall(wall_jump_s)
            if (await stores[index % len(stores)].take("a", under, queued=queued)).admitted:
                times.append(clock.now())
        for store in stores:
            await store.aclose()
        for rate in under.rates:
            for first, beyond in zip(times, times[rate.count :], strict=False):
                assert beyond - first > rate.window_s

    asyncio.run(drive())


async def test_a_request_that_left_late_counts_from_when_it_left(store, clock):
    given = await store.take("a", limit("2/second"), queued=False)
    await clock.advance(0.3)
    store.postpone("a", given.at, clock.now())
    assert (await store.take("a", limit("2/second"), queued=False)).admitted
    await clock.advance(0.8)

    assert await burst(store, "a", limit("2/second")) == 0
    await clock.advance(0.3)
    assert await burst(store, "a", limit("2/second")) == 2


async def test_what_was_given_meanwhile_is_put_off_too_so_that_the_record_stays_in_order(store, clock):
    first = await store.take("a", limit("3/second"), queued=False)
    await clock.advance(0.1)
    await store.take("a", limit("3/second"), queued=False)
    await clock.advance(0.1)
    store.postpone("a", first.at, clock.now())
    await clock.advance(0.95)

    assert await burst(store, "a", limit("3/second")) == 1
    await clock.advance(0.1)
    assert await burst(store, "a", limit("3/second")) == 2


async def test_an_unknown_key_has_nothing_to_put_off(store, clock):
    store.postpone("never", clock.now() - 1, clock.now())

    assert await burst(store, "never", limit("3/second")) == 3


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@given(
    steps=st.lists(st.tuples(st.floats(0, 0.4), st.floats(0, 0.15)), min_size=5, max_size=60),
    count=st.sampled_from([2, 5]),
)
@settings(max_examples=40, deadline=None)
def test_no_window_of_the_requests_as_they_left_is_exceeded_however_late_they_were(
    kind, steps, count, tmp_path_factory
):
    """Each step: time passes, a permit is asked for, and the request leaves so much later, before anybody else asks."""
    rate = limit(f"{count}/second")

    async def play():
        clock = ManualClock()
        directory = tmp_path_factory.mktemp("permits")
        store = MemoryPermitStore(clock) if kind == "memory" else SqlitePermitStore(directory, clock)
        left = []
        for gap_s, late_s in steps:
            clock._now += gap_s
            verdict = await store.take("a", rate, queued=False)
            if verdict.admitted:
                clock._now += late_s
                left.append(clock.now())
                if late_s > 0:
                    store.postpone("a", verdict.at, clock.now())
        await store.aclose()
        return left

    left = asyncio.run(play())
    assert all(later - earlier >= 1.0 for earlier, later in zip(left, left[count:], strict=False))
