import asyncio
import contextlib

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.errors import ConnectRefused
from sluicegate.exchange import flights as module
from sluicegate.exchange.fill import Abandoned, Fill
from sluicegate.exchange.flights import ALONE_S, Flights, Verdict, keep_whole
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.tasks import spawn
from support.messages import Body, read_all, request, response

KEY = "http://example.com/a"
ENTRY = StoredEntry("", request(), response(), 0, 0)


def fill_of(*pieces, store=None):
    writer = (store or MemoryCacheStore()).begin(KEY, ENTRY, None)
    return Fill(Body(*pieces), writer, ENTRY, Abandoned())


async def following(flights, count, name="n"):
    """Tasks that wait for the flight of that name."""
    flight = flights.get(name)
    before = flights.waiting
    tasks = [spawn(flight.follow(), name="follower") for _ in range(count)]
    while flights.waiting < before + count:
        await asyncio.sleep(0)
    return tasks


async def leave(task):
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_there_is_one_flight_of_a_name_until_it_ends():
    flights = Flights(ManualClock())
    flight = flights.begin("n", KEY)
    assert flights.get("n") is flight
    flight.stored()

    assert flights.get("n") is None


async def test_all_who_wait_read_what_is_being_stored_and_so_does_who_comes_later():
    flights = Flights(ManualClock())
    flight = flights.begin("n", KEY)
    tasks = await following(flights, 2)
    fill = fill_of(b"one", b"two")
    leader = fill.open()
    flight.open(fill)
    assert await leader.read() == b"one"
    readers = [*[await task for task in tasks], await flight.follow()]
    whole = [await read_all(reader) for reader in (leader, *readers)]

    assert whole == [b"two", b"onetwo", b"onetwo", b"onetwo"]
    assert (flights.get("n"), flights.waiting) == (None, 0)
    for reader in (leader, *readers):
        await reader.aclose()


@pytest.mark.parametrize(("end", "verdict"), [("stored", Verdict.STORED), ("scatter", Verdict.ALONE)])
async def test_all_who_wait_are_told_that_there_is_nothing_to_read(end, verdict):
    flights = Flights(ManualClock())
    flight = flights.begin("n", KEY)
    tasks = await following(flights, 3)
    getattr(flight, end)()

    assert [await task for task in tasks] == [verdict] * 3


async def test_an_error_is_everybodys():
    flights = Flights(ManualClock())
    flight = flights.begin("n", KEY)
    tasks = await following(flights, 3)
    flight.fail(ConnectRefused("refused"))

    assert [str(error) for error in await asyncio.gather(*tasks, return_exceptions=True)] == ["refused"] * 3
    assert flights.get("n") is None


async def test_when_the_leader_leaves_the_one_that_has_waited_longest_leads_on():
    flights = Flights(ManualClock())
    flight = flights.begin("n", KEY)
    gone, first, second = await following(flights, 3)
    await leave(gone)
    flight.leave()
    assert await first is Verdict.LEAD
    assert flights.get("n") is flight
    flight.stored()

    assert await second is Verdict.STORED


async def test_a_flight_that_everybody_has_left_is_over():
    flights = Flights(ManualClock())
    flight = flights.begin("n", KEY)
    [gone] = await following(flights, 1)
    await leave(gone)
    flight.leave()

    assert (flights.get("n"), flights.waiting) == (None, 0)


async def test_one_that_leaves_in_the_moment_in_which_it_is_to_lead_hands_that_on():
    flights = Flights(ManualClock())
    flight = flights.begin("n", KEY)
    gone, next_one = await following(flights, 2)
    flight.leave()
    await leave(gone)

    assert await next_one is Verdict.LEAD


async def test_one_that_leaves_in_the_moment_in_which_it_gets_a_body_does_not_hold_it_open():
    flights = Flights(ManualClock())
    store = MemoryCacheStore()
    flight = flights.begin("n", KEY)
    [gone] = await following(flights, 1)
    fill = fill_of(b"one", store=store)
    leader = fill.open()
    flight.open(fill)
    await leader.read()
    await leave(gone)
    await leader.aclose()

    assert store.stats() == (0, 0)
    assert flights.get("n") is None


async def test_what_somebody_waited_for_in_vain_nobody_waits_for_again_for_a_while():
    clock = ManualClock()
    flights = Flights(clock)
    flight = flights.begin("n", KEY)
    tasks = await following(flights, 1)
    flight.scatter()
    await tasks[0]
    assert flights.begin("n", KEY) is None
    assert flights.begin("other", KEY) is not None
    await clock.advance(ALONE_S)

    assert flights.begin("n", KEY) is not None


async def test_what_nobody_waited_for_is_not_remembered():
    flights = Flights(ManualClock())
    flights.begin("n", KEY).scatter()

    assert flights.begin("n", KEY) is not None


async def test_what_the_store_gave_up_on_is_not_shared_again():
    flights = Flights(ManualClock())
    flight = flights.begin("n", KEY)
    fill = fill_of(b"one" * 100, store=MemoryCacheStore(max_entry_size=10))
    reader = fill.open()
    flight.open(fill)
    await read_all(reader)
    await reader.aclose()

    assert flights.begin("n", KEY) is None


async def test_memory_of_what_is_kept_apart_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_ALONE", 2)
    flights = Flights(ManualClock())
    for name in ("a", "b", "a", "c"):
        flights.keep_apart(name)

    assert [name for name in "abc" if flights.begin(name, KEY) is None] == ["a", "c"]


async def test_so_many_wait_for_one_and_no_more(monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    flights = Flights(ManualClock())
    flight = flights.begin("n", KEY)
    tasks = await following(flights, 2)
    assert await flight.follow() is Verdict.ALONE
    await leave(tasks.pop())
    tasks += await following(flights, 1)
    flight.stored()

    assert [await task for task in tasks] == [Verdict.STORED] * 2


async def test_so_many_wait_in_all_and_no_more(monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING_IN_ALL", 1)
    flights = Flights(ManualClock())
    flight, other = flights.begin("n", KEY), flights.begin("m", KEY)
    tasks = await following(flights, 1)
    assert await other.follow() is Verdict.ALONE
    flight.stored()

    assert await tasks[0] is Verdict.STORED


@pytest.mark.parametrize("open_already", [True, False])
async def test_after_a_change_nobody_joins_what_is_under_way_and_it_is_not_kept(open_already):
    flights, store = Flights(ManualClock()), MemoryCacheStore()
    flight = flights.begin("n", KEY)
    other = flights.begin("m", "http://example.com/b")
    fill = fill_of(b"one", store=store)
    reader = fill.open()
    if not open_already:
        flights.detach(KEY)
    flight.open(fill)
    if open_already:
        flights.detach(KEY)
    assert (flights.get("n"), flights.get("m")) == (None, other)
    later = flights.begin("n", KEY)

    assert await read_all(reader) == b"one"
    await reader.aclose()
    assert store.stats() == (0, 0)
    assert flights.get("n") is later


async def test_a_body_that_is_there_whole_is_stored_for_who_comes_meanwhile():
    store, flights = MemoryCacheStore(), Flights(ManualClock())
    flight = flights.begin("n", KEY)
    waiting = await following(flights, 1)
    assert flight.followed
    await keep_whole(b"whole", store.begin(KEY, ENTRY, 5), flight)

    assert await waiting[0] is Verdict.STORED
    (entry,) = store.recall(KEY)
    assert store.body_at_hand(entry) == b"whole"
    assert flights.get("n") is None


async def test_what_has_been_outdated_is_not_stored_though_it_is_there_whole():
    store, flights = MemoryCacheStore(), Flights(ManualClock())
    flight = flights.begin("n", KEY)
    flights.detach(KEY)
    await keep_whole(b"old", store.begin(KEY, ENTRY, 3), flight)

    assert store.recall(KEY) == []
    assert store.stats() == (0, 0)
