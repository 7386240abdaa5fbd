import pytest
from redis.exceptions import ResponseError

from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.redis import scripts
from sluicegate.stores.cache.redis.commands import Commands
from sluicegate.stores.cache.redis.keys import TOTAL, USES


@pytest.fixture
async def commands(server):
    made = Commands(server.url)
    yield made
    await made.aclose()


async def test_commands_go_in_one_go_and_come_back_in_order(commands):
    assert await commands.run(lambda pipeline: pipeline.set("a", b"1").get("a").exists("b")) == [True, b"1", 0]


async def test_scripts_are_loaded_again_when_redis_has_forgotten_them(commands, server):
    def measure(pipeline):
        pipeline.evalsha(scripts.TOUCH.sha, 2, USES, TOTAL)

    assert await commands.run(measure) == [[0, 0]]
    server.cli("script", "flush")
    assert await commands.run(measure) == [[0, 0]]
    server.cli("script", "flush")
    assert await commands.one(["EVALSHA", scripts.TOUCH.sha, 2, USES, TOTAL]) == [0, 0]


async def test_an_error_is_an_error(commands):
    with pytest.raises(ResponseError):
        await commands.run(lambda pipeline: pipeline.set("a", b"x").hget("a", "b"))


async def test_a_redis_that_does_not_answer_is_not_waited_for(own_server):
    commands = Commands(own_server.url)
    own_server.pause()

    for asked in (
        commands.run(lambda pipeline: pipeline.get("a")),
        commands.one(["GET", "a"]),
        commands.subscribe("c"),
    ):
        with pytest.raises(TimeoutError):
            await asked
    own_server.resume()
    await commands.aclose()


@pytest.mark.parametrize("options", ["nonsense=1", "socket_timeout=abc"])
def test_unknown_options_of_a_url_are_told_without_the_url(options):
    with pytest.raises(CacheStoreError) as caught:
        Commands(f"redis://:hunter2@localhost/0?{options}")

    assert "hunter2" not in str(caught.value)
    assert "cache.redis_url" in caught.value.advice


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://bob:hunter2@h:6379/0", "h:6379"),
        ("redis://h", "h"),
        ("unix://:hunter2@/run/redis.sock", "/run/redis.sock"),
    ],
)
def test_people_are_told_where_redis_is_and_no_password(url, place):
    assert Commands(url).place == place
