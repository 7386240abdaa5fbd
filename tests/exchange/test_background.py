import asyncio

from sluicegate.clock import ManualClock
from sluicegate.exchange import background
from sluicegate.exchange.background import Background
from support.cache_stores import until


async def settle(running):
    await until(lambda: running.count == 0)


async def well():
    return True


async def badly():
    return False


async def broken():
    raise ValueError("a fault of ours")


async def for_ever():
    await asyncio.Event().wait()
    return True


async def test_a_thing_is_done_once_at_a_time_and_again_when_it_is_done():
    running = Background(ManualClock())
    assert [running.start("a", well), running.start("a", well), running.start("b", well)] == [True, False, True]
    await settle(running)

    assert running.start("a", well)
    await running.aclose()


async def test_what_failed_rests_for_a_second(caplog):
    clock = ManualClock()
    running = Background(clock)
    for name, failing in (("a", badly), ("b", broken)):
        assert running.start(name, failing)
        await settle(running)
        assert not running.start(name, well)
        await clock.advance(background.REST_S)
        assert running.start(name, well)
        await settle(running)

    assert "a fault of ours" in caplog.text
    await running.aclose()


async def test_what_is_not_allowed_is_given_up_and_not_begun_until_it_is():
    running = Background(ManualClock())
    running.start("a", for_ever)

    await running.allow(anything=False)
    assert (running.count, running.start("a", well)) == (0, False)

    await running.allow(anything=True)
    assert running.start("a", well)
    await running.aclose()


async def test_there_are_only_so_many(monkeypatch):
    monkeypatch.setattr(background, "MAX_TASKS", 2)
    running = Background(ManualClock())
    begun = [running.start(name, for_ever) for name in "abc"]
    await running.aclose()

    assert begun == [True, True, False]


async def test_the_end_gives_up_what_is_under_way_and_begins_nothing_more():
    running = Background(ManualClock())
    running.start("a", for_ever)
    await running.aclose()
    await running.aclose()

    assert running.count == 0
    assert not running.start("b", well)


async def test_request_ids_are_its_own():
    one, other = Background(ManualClock()), Background(ManualClock())

    assert len({one.next_id(), one.next_id(), other.next_id(), other.next_id()}) == 4
