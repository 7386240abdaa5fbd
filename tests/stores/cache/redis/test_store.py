"""What the store in Redis does beyond what every store does: when Redis fails, and when others change it."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from sluicegate.clock import SystemClock
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.redis.keys import PIECE, USES, EntryId
from sluicegate.stores.cache.redis.store import RedisCacheStore
from support.cache_entries import KEY, entry
from support.cache_stores import MIB, body_of, keep, try_to_keep, until
from support.messages import read_all
from support.redis_server import RedisServer, SlowWay


@pytest.fixture
async def make_store(notices):
    opened = []

    async def make(url: str) -> RedisCacheStore:
        store = RedisCacheStore(url, events=notices, clock=SystemClock(), max_size=100 * MIB)
        opened.append(store)
        await store.entries(KEY)
        return store

    yield make
    for store in opened:
        await store.aclose()


@pytest.fixture
async def own(make_store, own_server) -> RedisCacheStore:
    return await make_store(own_server.url)


def is_up(store: RedisCacheStore) -> bool:
    return store.begin(KEY, entry(), 0) is not None


async def nothing_works_and_nothing_raises(store: RedisCacheStore, kept) -> None:
    async with asyncio.timeout(5):
        assert await store.entries(KEY) == []
        assert store.recall(KEY) is None
        assert store.body_at_hand(kept) is None
        with pytest.raises(CacheStoreError):
            await store.open_body(kept)
        assert store.begin(KEY, entry(), 1) is None
        await store.freshen(kept)
        await store.set_max_size(100 * MIB)


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_redis_that_ends_makes_misses_and_comes_back_by_itself(own, own_server, notices, end):
    kept = await keep(own, b"x")
    assert await own.entries(KEY) == [kept]
    assert own.recall(KEY) is not None

    getattr(own_server, end)()
    await until(lambda: not is_up(own))
    await nothing_works_and_nothing_raises(own, kept)
    assert notices.names == ["cache_store_unavailable"]

    own_server.start()
    await until(lambda: is_up(own))
    assert await own.entries(KEY) == []
    assert await keep(own, b"y")
    assert notices.names == ["cache_store_unavailable", "cache_store_recovered"]


async def test_a_redis_that_is_not_there_at_the_start_makes_misses(make_store, own_server, notices):
    own_server.stop()
    store = await make_store(own_server.url)

    assert store.begin(KEY, entry(), 1) is None
    await store.remove(str(EntryId.new("tag")))
    assert notices.names == ["cache_store_unavailable"]
    own_server.start()
    await until(lambda: is_up(store))
    assert await keep(store, b"x")


async def test_a_paused_redis_makes_misses_and_keeps_what_it_has(own, own_server, notices):
    kept = await keep(own, b"x")
    await own.entries(KEY)
    await until(lambda: own.recall(KEY) is not None)

    own_server.pause()
    await until(lambda: own.recall(KEY) is None)
    await until(lambda: not is_up(own))
    await nothing_works_and_nothing_raises(own, kept)

    own_server.resume()
    await until(lambda: is_up(own))
    assert await own.entries(KEY) == [kept]
    assert await body_of(own, kept) == b"x"
    assert notices.names == ["cache_store_unavailable", "cache_store_recovered"]


async def test_a_body_that_is_being_read_when_redis_goes_is_an_error_and_no_end(own, own_server):
    kept = await keep(own, b"x" * (3 * PIECE))
    reader = await own.open_body(kept)
    assert len(await reader.read()) == PIECE

    own_server.kill()

    with pytest.raises(CacheStoreError):
        await read_all(reader)


@pytest.mark.parametrize("end", ["kill", "pause"])
async def test_a_write_under_way_when_redis_goes_is_over(own, own_server, end):
    writer = own.begin(KEY, entry(), None)
    assert await writer.write(b"x" * PIECE)

    getattr(own_server, end)()

    assert not await writer.write(b"x" * PIECE)
    with pytest.raises(CacheStoreError):
        await writer.read(0)
    assert await writer.commit() is None
    await writer.aclose()
    if end == "pause":
        own_server.resume()


async def test_a_commit_that_is_not_answered_is_none(own, own_server):
    writer = own.begin(KEY, entry(), None)
    assert await writer.write(b"x")
    own_server.pause()

    assert await writer.commit() is None
    await writer.aclose()
    own_server.resume()


async def test_what_others_remove_while_we_are_cut_off_is_not_used(make_store, server):
    near = await make_store(server.url)
    kept = await keep(near, b"x")
    async with SlowWay(server) as way:
        far = await make_store(way.url)
        assert await far.entries(KEY) == [kept]
        await until(lambda: far.recall(KEY) is not None)

        way.cut()
        await near.remove(kept.id)

        await until(lambda: far.recall(KEY) is None)
        assert await far.entries(KEY) == []
        way.mend()
        await until(lambda: is_up(far))
        assert far.recall(KEY) is None
        assert await far.entries(KEY) == []
        await far.aclose()


async def test_what_was_to_be_removed_while_redis_was_away_is_removed_when_it_is_back(make_store, server):
    near = await make_store(server.url)
    kept = await keep(near, b"x")
    async with SlowWay(server) as way:
        far = await make_store(way.url)
        await far.entries(KEY)
        way.cut()
        await until(lambda: not is_up(far))
        await far.remove(kept.id)
        assert await near.entries(KEY) == [kept]

        way.mend()

        await until(lambda: is_up(far))
        assert await far.entries(KEY) == []
        await until(lambda: not near.recall(KEY))
        assert await near.entries(KEY) == []
        await far.aclose()


async def test_what_redis_refuses_to_remove_is_not_used_and_removed_later(own, own_server, make_store):
    kept, other = await keep(own, b"x"), await keep(own, b"y")
    own_server.cli("config", "set", "min-replicas-to-write", "1")

    await own.remove(kept.id)

    assert await own.entries(KEY) == [other]
    own_server.cli("config", "set", "min-replicas-to-write", "0")
    field = EntryId.parse(kept.id).heads, kept.id
    await until(lambda: own_server.cli("hexists", *field) == "0")
    assert await (await make_store(own_server.url)).entries(KEY) == [other]


async def test_a_slow_redis_works_as_long_as_it_answers_in_time(make_store, server, notices):
    async with SlowWay(server, 0.02) as way:
        store = await make_store(way.url)
        await until(lambda: is_up(store))
        kept = await keep(store, b"x" * 100_000)
        assert await body_of(store, kept) == b"x" * 100_000
        assert notices.told == []

        way.delay_s = 1.0

        assert await store.entries("http://other.example/") == []
        assert not is_up(store)
        assert notices.names == ["cache_store_unavailable"]
        await store.aclose()


async def test_an_emptied_redis_is_an_empty_cache(own, own_server):
    await keep(own, b"x")
    await own.entries(KEY)
    await until(lambda: own.recall(KEY) is not None)

    own_server.cli("flushall")

    await until(lambda: own.recall(KEY) is None)
    assert await own.entries(KEY) == []


async def test_an_entry_of_which_redis_evicted_a_piece_is_refused(own, own_server):
    kept = await keep(own, b"x" * (3 * PIECE))
    entry_id = EntryId.parse(kept.id)
    reader = await own.open_body(kept)
    await reader.read()

    own_server.cli("del", entry_id.piece(2))

    with pytest.raises(CacheStoreError):
        await own.open_body(kept)
    with pytest.raises(CacheStoreError):
        await read_all(reader)


async def test_what_was_put_there_by_somebody_else_is_passed_over(own, own_server):
    kept = await keep(own, b"x")
    entry_id = EntryId.parse(kept.id)
    whole = str(replace(entry_id, unique="other"))
    for field in ("nonsense", "+nonsense", whole, "a.b.1.2"):
        own_server.cli("hset", entry_id.heads, field, "garbage")
    own_server.cli("hset", entry_id.heads, f"+{whole}", "x")

    assert await own.entries(KEY) == [kept]


@pytest.fixture
def small_server() -> Iterator[Callable[[str], RedisServer]]:
    """Starts a Redis of 12 MB with a policy for when they are full."""
    started: list[RedisServer] = []

    def start(policy: str) -> RedisServer:
        started.append(RedisServer("--maxmemory", "12mb", "--maxmemory-policy", policy))
        return started[0]

    yield start
    for server in started:
        server.close()


async def test_a_redis_that_is_full_stores_nothing_more_and_answers_with_what_it_has(make_store, small_server, notices):
    server = small_server("noeviction")
    store = await make_store(server.url)
    kept = await keep(store, b"x" * 100_000)
    while await try_to_keep(store, b"y" * (2 * PIECE), key="http://other.example/"):
        pass

    assert await store.entries(KEY) == [kept]
    assert await body_of(store, kept) == b"x" * 100_000
    assert notices.names == ["cache_store_failed"]
    await store.aclose()


async def test_a_redis_that_evicts_what_it_likes_never_gives_half_an_entry(make_store, small_server, notices):
    server = small_server("allkeys-random")
    store = await make_store(server.url)
    whole = gone = 0
    for number in range(60):
        key = f"http://example.com/{number}"
        kept = await try_to_keep(store, bytes([number]) * (2 * PIECE + number), key=key)
        for found in [] if kept is None else await store.entries(key):
            try:
                assert await body_of(store, found) == bytes([number]) * (2 * PIECE + number)
                whole += 1
            except CacheStoreError:
                gone += 1
    assert whole > 0
    assert "cache_store_unavailable" not in notices.names
    await store.aclose()


async def test_what_is_answered_from_memory_alone_stays_in_use(make_store, server):
    store = await make_store(server.url)
    old, other = await keep(store, b"x"), await keep(store, b"y", key="http://other.example/")
    await store.entries(KEY)

    def newest() -> str:
        return server.cli("zrange", USES, "-1", "-1")

    await until(lambda: store.recall(KEY) is not None and newest() == old.id)
    await store.entries("http://other.example/")
    await until(lambda: newest() == other.id)
    await until(lambda: store.recall(KEY) is not None and newest() == old.id)


class SuspendedClock(SystemClock):
    """The clock of a machine that slept for `slept_s`."""

    slept_s = 0.0

    def now(self) -> float:
        return super().now() + self.slept_s


async def test_after_a_suspension_memory_answers_nothing_before_redis_was_heard(server, notices):
    clock = SuspendedClock()
    store = RedisCacheStore(server.url, events=notices, clock=clock)
    await store.entries(KEY)
    kept = await keep(store, b"x")
    await store.entries(KEY)
    await until(lambda: store.recall(KEY) == [kept])
    assert store.body_at_hand(kept) == b"x"

    clock.slept_s = 2.0

    assert store.recall(KEY) is None
    assert store.body_at_hand(kept) is None
    await until(lambda: store.recall(KEY) == [kept])
    await store.aclose()


async def test_a_small_body_comes_with_the_first_question(make_store, server):
    kept = await keep(await make_store(server.url), b"x" * 10_000)
    other = await make_store(server.url)
    [found] = await other.entries(KEY)

    await until(lambda: other.body_at_hand(found) == b"x" * 10_000)
    assert found == kept


async def test_what_is_used_is_kept_alive(make_store, server):
    kept = await keep(await make_store(server.url), b"x" * 100_000)
    entry_id = EntryId.parse(kept.id)
    for key in (entry_id.heads, *entry_id.pieces):
        server.cli("expire", key, "100")

    await (await make_store(server.url)).entries(KEY)

    await until(lambda: all(int(server.cli("ttl", key)) > 1000 for key in (entry_id.heads, *entry_id.pieces)))


async def test_a_removal_that_overtakes_an_answer_is_not_undone_by_it(make_store, server):
    near = await make_store(server.url)
    kept = await keep(near, b"x")
    async with SlowWay(server, 0.02) as way:
        far = await make_store(way.url)
        await until(lambda: is_up(far))
        for _ in range(5):
            asked = asyncio.gather(*(far.entries(KEY) for _ in range(5)))
            await near.freshen(replace(kept, response_time=kept.response_time + 1))
            kept = replace(kept, response_time=kept.response_time + 1)
            await asked
            await until(lambda want=kept: far.recall(KEY) in (None, [want]))
            assert await far.entries(KEY) == [kept]
        await far.aclose()


async def test_what_was_asked_for_before_changes_may_have_been_missed_is_not_kept(make_store, server):
    store = await make_store(server.url)
    writer = store.begin(KEY, entry(), 0, store.moment(KEY))

    store.lost()

    assert await writer.commit() is None
    assert await store.entries(KEY) == []


async def test_what_was_asked_for_while_redis_was_away_is_not_kept(server, notices):
    store = RedisCacheStore(server.url, events=notices, clock=SystemClock(), max_size=100 * MIB)
    moment = store.moment(KEY)
    await store.entries(KEY)

    assert await store.begin(KEY, entry(), 0, moment).commit() is None
    assert await store.begin(KEY, entry(), 0, store.moment(KEY)).commit() is not None
    await store.aclose()
