import re

import pytest
from redis.asyncio import Redis

from sluicegate.stores.cache.redis import scripts


@pytest.fixture
async def redis(server):
    async with Redis.from_url(server.url) as client:
        yield client


@pytest.mark.parametrize("script", scripts.ALL)
async def test_redis_gives_each_script_the_name_we_know(redis, script):
    assert await redis.script_load(script.text) == script.sha


async def test_nothing_is_shown_of_an_entry_of_which_a_piece_is_missing(redis):
    await redis.set("{t}:0", b"x")
    arguments = ["id", b"head", b"", 100, b"note", "channel", "message"]

    assert await redis.eval(scripts.COMMIT.text, 3, "{t}", "{t}:0", "{t}:1", *arguments) == 0
    assert await redis.exists("{t}") == 0
    await redis.set("{t}:1", b"y")
    assert await redis.eval(scripts.COMMIT.text, 3, "{t}", "{t}:0", "{t}:1", *arguments) == 1
    assert await redis.hgetall("{t}") == {b"id": b"head", b"=id": b"note"}


async def test_a_removal_gives_readers_time_and_never_more_than_there_was(redis):
    await redis.hset("{t}", mapping={"id": b"head", "+id": b"body", "=id": b"note", "other": b"head"})
    await redis.set("{t}:0", b"x", ex=1000)
    await redis.set("{t}:1", b"x", ex=5)

    await redis.eval(scripts.REMOVE.text, 3, "{t}", "{t}:0", "{t}:1", "id", 60, "channel", "message")

    assert await redis.hgetall("{t}") == {b"other": b"head"}
    assert 5 < await redis.ttl("{t}:0") <= 60
    assert 0 < await redis.ttl("{t}:1") <= 5


async def claim(redis, old: str, new: str, bound: int) -> list:
    return await redis.eval(scripts.CLAIM.text, 2, "uses", "total", old, new, bound)


async def test_a_claim_is_granted_grows_and_is_full(redis):
    assert await claim(redis, "", "a.64", 300) == [1, 100, 1]
    assert await claim(redis, "a.64", "a.c8", 300) == [1, 200, 1]
    assert await claim(redis, "", "b.64", 300) == [1, 300, 2]
    assert await claim(redis, "", "c.32", 300) == [0, 300, 2, b"a.c8"]
    assert await claim(redis, "b.64", "b.65", 300) == [0, 300, 2, b"a.c8"]
    assert await claim(redis, "", "d.12d", 300) == [-1, 300, 2]


async def test_a_claim_of_what_was_evicted_meanwhile_is_refused(redis):
    await claim(redis, "", "a.64", 300)
    assert await redis.eval(scripts.DROP.text, 2, "uses", "total", "a.64") == [0, 0]

    assert (await claim(redis, "a.64", "a.c8", 300))[0] == -1


async def test_a_total_that_redis_evicted_is_counted_again(redis):
    await claim(redis, "", "a.64", 300)
    await claim(redis, "", "b.64", 300)
    await redis.delete("total")
    assert await claim(redis, "", "c.a", 300) == [1, 210, 3]

    await redis.delete("uses")
    assert await claim(redis, "", "d.a", 300) == [1, 10, 1]


async def test_a_use_makes_an_id_the_newest_and_brings_back_none(redis):
    for entry_id in ("a.1", "b.1", "c.1"):
        await claim(redis, "", entry_id, 300)

    assert await redis.eval(scripts.TOUCH.text, 2, "uses", "total", "b.1", "a.1", "gone.1") == [3, 3]

    assert await redis.zrange("uses", 0, -1) == [b"c.1", b"b.1", b"a.1"]


def test_no_script_loops_over_all_keys():
    for script in scripts.ALL:
        assert not re.search(r"'(KEYS|SCAN)'", script.text)
