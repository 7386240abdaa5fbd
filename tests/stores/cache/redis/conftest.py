from collections.abc import AsyncIterator, Iterator

import pytest

from sluicegate.clock import SystemClock
from sluicegate.stores.cache.redis.commands import Commands
from sluicegate.stores.cache.redis.link import Link
from support.cache_stores import Notices
from support.redis_server import RedisServer


class Ears:
    """Hears what a link tells."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.losses = 0
        self.beats = 0

    def changed(self, message: bytes) -> None:
        self.messages.append(message)

    def lost(self) -> None:
        self.losses += 1

    async def beat(self) -> None:
        self.beats += 1


@pytest.fixture
def server(shared_redis) -> RedisServer:
    """A Redis that the test leaves alive; empty."""
    shared_redis.cli("flushall")
    return shared_redis


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A Redis that the test may do anything to."""
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def notices() -> Notices:
    return Notices()


@pytest.fixture
async def link(server, ears, notices) -> AsyncIterator[Link]:
    """A link to `server`, up."""
    made = Link(Commands(server.url, timeout_s=10.0), ears, events=notices, clock=SystemClock())
    await made.ready()
    yield made
    await made.aclose()
