"""Commands to Redis, each with little time to be answered."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.redis import scripts

type Argument = bytes | str | int

DEFAULT_TIMEOUT_S = 0.25
"""A request waits no longer for Redis than this."""


class Commands:
    """Runs commands; what fails raises what redis-py raises, or TimeoutError. The URL is never told to anyone.

    Raises CacheStoreError for a URL that cannot be used.
    """

    def __init__(self, url: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self.timeout_s = timeout_s
        options: dict[str, Any] = {"protocol": 2, "retry": Retry(NoBackoff(), 0)}
        try:
            self._pool = ConnectionPool.from_url(url, **options)
            self._pool.make_connection()  # type: ignore[no-untyped-call]
        except (ValueError, TypeError, RedisError) as error:
            raise CacheStoreError(
                "the URL of the cache's Redis has options that are not known, or of the wrong kind",
                advice="Look at what follows the ? in cache.redis_url.",
            ) from error
        self._redis: Redis = Redis(connection_pool=self._pool)
        parts = urlsplit(url)
        self.place = parts.path if parts.scheme == "unix" else parts.netloc.rpartition("@")[2]
        """Where Redis is, for people."""

    async def run(self, fill: Callable[[Pipeline], object]) -> list[Any]:
        """Send the commands that `fill` puts in a pipeline, in one go; their replies, or the first error."""
        try:
            return await self._run(fill)
        except NoScriptError:
            await self.load_scripts()
            return await self._run(fill)

    async def _run(self, fill: Callable[[Pipeline], object]) -> list[Any]:
        async with asyncio.timeout(self.timeout_s):
            pipeline = self._redis.pipeline(transaction=False)
            fill(pipeline)
            return await pipeline.execute()

    async def one(self, arguments: Sequence[Argument]) -> Any:
        """Send one command, which costs less than a pipeline of one; its reply."""
        try:
            return await self._one(arguments)
        except NoScriptError:
            await self.load_scripts()
            return await self._one(arguments)

    async def _one(self, arguments: Sequence[Argument]) -> Any:
        async with asyncio.timeout(self.timeout_s):
            return await self._redis.execute_command(*arguments)  # type: ignore[no-untyped-call]

    async def load_scripts(self) -> None:
        """Make the scripts known to Redis."""
        async with asyncio.timeout(self.timeout_s):
            pipeline = self._redis.pipeline(transaction=False)
            for script in scripts.ALL:
                pipeline.script_load(script.text)
            await pipeline.execute()

    async def forget_connections(self) -> None:
        """Close idle connections, which lead to a Redis that may have gone."""
        await self._pool.disconnect(inuse_connections=False)

    async def subscribe(self, channel: str) -> AbstractConnection:
        """A connection of its own that receives what is published."""
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(self.timeout_s):
                await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_command("SUBSCRIBE", channel)
                await connection.read_response()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def aclose(self) -> None:
        """Close all connections."""
        await self._redis.aclose()
        await self._pool.aclose()
