import asyncio

import pytest

from sluicegate.clock import ManualClock, SystemClock
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.redis.commands import Commands
from sluicegate.stores.cache.redis.keys import CHANNEL
from sluicegate.stores.cache.redis.link import Link
from sluicegate.tasks import spawn
from support.cache_stores import until
from support.redis_server import SlowWay


@pytest.fixture
async def own_link(own_server, ears, notices):
    link = Link(Commands(own_server.url), ears, events=notices, clock=SystemClock())
    await link.ready()
    yield link
    await link.aclose()


async def test_memory_may_answer_once_there_was_a_sign_of_life(link, ears):
    await until(lambda: link.good_until > SystemClock().now())
    assert link.here
    await until(lambda: ears.beats >= 2)


async def test_messages_are_heard(link, ears, server):
    server.cli("publish", CHANNEL, "them:tag")

    await until(lambda: ears.messages == [b"them:tag"])


async def test_a_loss_is_told_once_and_so_is_the_return(own_link, own_server, ears, notices):
    own_server.kill()
    await until(lambda: not own_link.here)
    assert own_link.good_until == 0.0
    assert ears.losses >= 1
    for _ in range(3):
        with pytest.raises(CacheStoreError):
            await own_link.one("HGETALL", "a")
    assert notices.names == ["cache_store_unavailable"]

    own_server.start()

    await until(lambda: own_link.here)
    assert notices.names == ["cache_store_unavailable", "cache_store_recovered"]
    assert await own_link.one("HGETALL", "a") == {}


async def test_attempts_that_fail_are_not_told_again(own_server, ears, notices):
    own_server.kill()
    clock = ManualClock()
    link = Link(Commands(own_server.url), ears, events=notices, clock=clock)
    await link.ready()
    for _ in range(4):
        losses = ears.losses
        await clock.advance(10.0)
        await until(lambda before=losses: ears.losses > before)

    assert notices.names == ["cache_store_unavailable"]
    own_server.start()
    await clock.advance(10.0)
    await until(lambda: link.here)
    await link.aclose()


async def test_silence_alone_is_a_loss(own_link, own_server):
    await until(lambda: own_link.good_until > 0)

    own_server.pause()

    await until(lambda: not own_link.here)
    own_server.resume()
    await until(lambda: own_link.here)


async def test_a_command_without_an_answer_is_a_loss_at_once_for_all(own_link, own_server):
    own_server.pause()
    first = asyncio.gather(*(own_link.one("HGETALL", "a") for _ in range(200)), return_exceptions=True)

    assert {type(outcome) for outcome in await first} == {CacheStoreError}
    assert not own_link.here
    own_server.resume()


async def test_a_crowd_is_no_loss(link, notices):
    assert await asyncio.gather(*(link.one("HGETALL", "a") for _ in range(5000))) == [{}] * 5000
    assert link.here
    assert notices.told == []


async def test_a_way_that_is_cut_is_found_out_though_nobody_asks(server, ears, notices):
    async with SlowWay(server) as way:
        link = Link(Commands(way.url), ears, events=notices, clock=SystemClock())
        await link.ready()
        await until(lambda: link.good_until > SystemClock().now())

        way.cut()

        await until(lambda: link.good_until <= SystemClock().now())
        await until(lambda: not link.here)
        way.mend()
        await until(lambda: link.here)
        await link.aclose()


async def test_a_refusal_is_no_loss_and_is_told_now_and_then(link, notices):
    for _ in range(5):
        with pytest.raises(CacheStoreError):
            await link.run(lambda pipeline: pipeline.set("a", b"x").hget("a", "b"))

    assert link.here
    assert notices.names == ["cache_store_failed"]


async def test_a_password_is_never_told(own_server, ears, notices):
    own_server.cli("config", "set", "requirepass", "correct")
    link = Link(Commands(f"unix://:hunter2@{own_server.path}"), ears, events=notices, clock=SystemClock())
    await link.ready()
    await until(lambda: bool(notices.told))

    assert notices.names == ["cache_store_unavailable"]
    assert str(own_server.path) in str(notices.told)
    assert "hunter2" not in str(notices.told)
    await link.aclose()


async def test_nothing_is_tried_after_closing(own_server, ears, notices):
    link = Link(Commands(own_server.url), ears, events=notices, clock=SystemClock())
    await link.ready()
    await link.aclose()

    with pytest.raises(CacheStoreError):
        await link.one("HGETALL", "a")
    assert notices.told == []


async def test_a_process_that_was_too_busy_to_hear_the_answer_does_not_blame_redis(own_server, ears, notices):
    class BusyClock(SystemClock):
        passed_s = 0.0

        def now(self) -> float:
            return super().now() + self.passed_s

    clock = BusyClock()
    link = Link(Commands(own_server.url), ears, events=notices, clock=clock)
    await link.ready()
    own_server.pause()
    asked = spawn(link.one("GET", "a"), name="asked")
    await asyncio.sleep(0)
    clock.passed_s = 10.0

    with pytest.raises(CacheStoreError):
        await asked
    own_server.resume()

    assert link.here
    assert notices.told == []
    await link.aclose()
