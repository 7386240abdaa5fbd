"""Permits reserved in blocks: by several processes, on one clock, over time."""

import asyncio
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.clock import ManualClock
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.core.limits.rates import parse_rates
from sluicegate.core.limits.window import CATCH_UP_S, plan
from sluicegate.stores.permits.sqlite import FILE_NAME, SqlitePermitStore


def limit(rates, **options):
    return Limit("test", parse_rates(rates), **options)


def recorded(directory):
    with sqlite3.connect(directory / FILE_NAME) as db:
        count = db.execute("SELECT count(*) FROM permit").fetchone()[0]
    db.close()
    return count


async def take_until_refused(store, clock, limit, gap_s, most=100_000):
    times = []
    while len(times) < most and (await store.take("a", limit, queued=False)).admitted:
        times.append(clock.now())
        await tick(clock, gap_s)
    return times


async def tick(clock, delta_s):
    clock._now += delta_s


def assert_no_window_exceeded(times, limit):
    """Nor any as long as a window with its guard: reserving permits uses nothing of that up."""
    for window in plan(limit).windows:
        for first, beyond in zip(times, times[window.count :], strict=False):
            assert beyond - first >= window.span_s - 1e-9, window


@settings(max_examples=60, deadline=None)
@given(
    rates=st.sampled_from([("300/100ms",), ("200/100ms", "450/300ms"), ("400/150ms", "600/second")]),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["take"] * 8 + ["kill", "restart"]),
            st.integers(0, 2),
            st.integers(1, 120),
            st.floats(0, 0.0004),
            st.floats(0, 0.05),
            st.booleans(),
        ),
        max_size=60,
    ),
)
def test_no_window_is_exceeded_by_processes_that_reserve_and_die(rates, steps, tmp_path_factory):
    """`kill` loses a block as kill -9 does, `restart` gives it back as a process does that ends well."""

    async def drive():
        clock, under = ManualClock(), limit(rates)
        directory = tmp_path_factory.mktemp("permits")
        stores = [SqlitePermitStore(directory, clock, boot="b") for _ in range(3)]
        times = []
        for what, who, count, gap_s, pause_s, queued in steps:
            if what == "take":
                for _ in range(count):
                    if (await stores[who].take("a", under, queued=queued)).admitted:
                        times.append(clock.now())
                    await tick(clock, gap_s)
            else:
                if what == "restart":
                    await stores[who].aclose()
                else:
                    stores[who]._file.close()
                stores[who] = SqlitePermitStore(directory, clock, boot="b")
            await tick(clock, pause_s)
        for store in stores:
            await store.aclose()
        assert_no_window_exceeded(times, under)

    asyncio.run(drive())


@settings(max_examples=40, deadline=None)
@given(
    gaps=st.lists(st.tuples(st.integers(0, 1), st.floats(0, 0.002), st.booleans()), min_size=50, max_size=600),
)
def test_a_rate_without_a_log_keeps_its_span_when_permits_are_reserved(gaps, tmp_path_factory):
    """N+1 permits span the window because any n span n spacings, less the credit and a lease on either side."""

    async def drive():
        clock, under = ManualClock(), Limit("large", (Rate(60, 600_000),))
        made = plan(under)
        directory = tmp_path_factory.mktemp("permits")
        stores = [SqlitePermitStore(directory, clock, boot="b") for _ in range(2)]
        times = []
        for who, gap_s, queued in gaps:
            if (await stores[who].take("a", under, queued=queued)).admitted:
                times.append(clock.now())
            await tick(clock, gap_s)
        for store in stores:
            await store.aclose()
        for n in (1, 5, 20, 100, 300):
            for first, last in zip(times, times[n:], strict=False):
                assert last - first >= n * made.spacing_s - CATCH_UP_S - 2 * made.lease_s - 1e-9
        assert under.rates[0].count * made.spacing_s - CATCH_UP_S - 2 * made.lease_s > 60

    asyncio.run(drive())


@pytest.mark.parametrize(("rates", "seconds"), [("10/second", 30), ("1000/second", 5), ("20000/second", 3)])
@pytest.mark.parametrize("processes", [1, 2])
async def test_at_least_97_percent_are_used_while_a_queue_stands(rates, seconds, processes, tmp_path):
    clock, under = ManualClock(), limit(rates)
    (rate,) = under.rates
    stores = [SqlitePermitStore(tmp_path, clock) for _ in range(processes)]
    times, start, turn = [], clock.now(), 0
    while clock.now() < start + seconds:
        turn += 1
        verdict = await stores[turn % processes].take("a", under, queued=True)
        if verdict.admitted:
            times.append(clock.now())
        else:
            await tick(clock, max(0.001, verdict.wait_s))
    for store in stores:
        await store.aclose()

    assert len(times) >= 0.97 * rate.count * seconds / rate.window_s
    assert_no_window_exceeded(times, under)


async def test_a_fast_limit_takes_a_transaction_for_many_permits(tmp_path):
    clock, under = ManualClock(), limit("100000/second")
    store = SqlitePermitStore(tmp_path, clock)
    writes = []
    writing = store._file.writing
    store._file.writing = lambda: writes.append(clock.now()) or writing()

    await take_until_refused(store, clock, under, 0.0001, most=5_000)
    await store.aclose()

    assert len(writes) < 5_000 / 20


async def test_a_slow_limit_records_each_permit_when_it_is_given(tmp_path):
    clock, under = ManualClock(), limit("10/second")
    store = SqlitePermitStore(tmp_path, clock)

    for count in range(1, 6):
        assert (await store.take("a", under, queued=False)).admitted
        assert recorded(tmp_path) == count
    await store.aclose()


async def test_what_is_not_used_is_given_back(tmp_path):
    clock, under = ManualClock(), limit("5000/hour")
    store = SqlitePermitStore(tmp_path, clock)
    used = await take_until_refused(store, clock, under, 0.00001, most=100)
    assert recorded(tmp_path) > 100

    await tick(clock, 1.0)
    used += await take_until_refused(store, clock, under, 0.002)
    await store.aclose()

    assert len(used) == recorded(tmp_path) == 5_000


async def test_a_process_that_ends_gives_back_what_it_did_not_use(tmp_path):
    clock, under = ManualClock(), limit("5000/hour")
    store = SqlitePermitStore(tmp_path, clock)
    await take_until_refused(store, clock, under, 0.00001, most=100)
    await store.aclose()

    assert recorded(tmp_path) == 100


async def test_what_is_left_is_not_given_back_once_somebody_else_was_given_permits(tmp_path):
    clock, under = ManualClock(), limit("5000/hour")
    one, other = (SqlitePermitStore(tmp_path, clock) for _ in range(2))
    await take_until_refused(one, clock, under, 0.00001, most=100)
    await other.take("a", under, queued=False)
    before = recorded(tmp_path)

    await one.aclose()
    await other.aclose()

    assert recorded(tmp_path) == before


async def test_reserved_permits_are_not_used_after_their_lease(tmp_path):
    clock, under = ManualClock(), limit("5000/hour")
    store = SqlitePermitStore(tmp_path, clock)
    await take_until_refused(store, clock, under, 0.00001, most=100)
    await tick(clock, 3_000)
    (tmp_path / "elsewhere").mkdir()
    store._file.close()
    store._file.path = tmp_path / "elsewhere" / FILE_NAME

    await store.take("a", under, queued=False)
    await store.aclose()

    assert recorded(tmp_path / "elsewhere") == 1, "it was asked for and recorded, not taken from the block"


async def test_reserved_permits_count_until_the_end_of_their_lease(tmp_path):
    """A file opened meanwhile by another process does not make them older."""
    clock, under = ManualClock(), limit("1000/second")
    one = SqlitePermitStore(tmp_path, clock, boot="b")
    await take_until_refused(one, clock, under, 0.0001, most=40)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        latest = db.execute("SELECT max(at) FROM permit").fetchone()[0]
    assert latest > clock.now()

    other = SqlitePermitStore(tmp_path, clock, boot="b")
    other.open()

    assert db.execute("SELECT max(at) FROM permit").fetchone()[0] == latest
    db.close()
    await one.aclose()
    await other.aclose()


async def test_a_permit_used_at_the_end_of_its_lease_counts_from_then(tmp_path):
    clock, under = ManualClock(), limit("1000/second")
    store = SqlitePermitStore(tmp_path, clock)
    start = clock.now()
    times = await take_until_refused(store, clock, under, 0.0, most=16)
    await tick(clock, plan(under).lease_s - 1e-6)
    times += await take_until_refused(store, clock, under, 0.0)

    while clock.now() < start + 1.1:
        times += await take_until_refused(store, clock, under, 0.0)
        await tick(clock, 0.0005)
    await store.aclose()

    assert len(times) > 1_000
    assert_no_window_exceeded(times, under)
