"""Whether Redis is there, and whether we hear of every change others make in it.

One connection listens, and everything stands on it: while it is up, memory may answer for Redis; when it breaks, or a
command goes without an answer, Redis counts as away, nobody waits for it, and it is tried again in the background. It
is asked for a sign of life all the time, and what is in memory is good for a second after the last one was asked for:
then it knows all that was published before.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, Protocol

from redis.asyncio.client import Pipeline
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError

from sluicegate.clock import Clock
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.core.ports import EventSink
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.redis.commands import Argument, Commands
from sluicegate.stores.cache.redis.keys import CHANNEL
from sluicegate.tasks import spawn

_GOOD_FOR_S = 1.0
_BEAT_S = 0.25
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 4.0
_QUIET_S = 10.0
_AT_ONCE = 16
"""Commands at the same time, Redis having one thread; further ones wait, and their time is not counted."""
_STALLED = 1.5
"""A timeout that comes this much too late says that this process was busy, and nothing of Redis."""
_FAILURES = (RedisError, OSError)


class Listener(Protocol):
    """Who is told of changes."""

    def changed(self, message: bytes) -> None:
        """A replica, this one or another, has published this."""

    def lost(self) -> None:
        """Changes may have been missed: what is in memory says nothing any more."""

    async def beat(self) -> None:
        """Redis is still there. Raises CacheStoreError."""


class Link:
    """The way to Redis; nothing is tried before `ready`."""

    def __init__(self, commands: Commands, listener: Listener, *, events: EventSink, clock: Clock) -> None:
        self.commands = commands
        self.good_until = 0.0
        """Until when (`Clock.now()`) what is in memory may answer."""
        self._events = events
        self._clock = clock
        self._listener = listener
        self._here = False
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._told_away = False
        self._tried = asyncio.Event()
        self._broken = asyncio.Event()
        self._why: BaseException = CacheStoreError("")
        self._watching: asyncio.Task[None] | None = None
        self._quiet_until = 0.0

    @property
    def here(self) -> bool:
        """Whether Redis is there, for all we know."""
        return self._here

    async def ready(self) -> None:
        """Connect, the first time; returns when it was tried once, or takes too long."""
        if self._tried.is_set():
            return
        if self._watching is None:
            self._watching = spawn(self._watch(), name="cache-redis")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.commands.timeout_s):
                await self._tried.wait()

    async def run(self, fill: Callable[[Pipeline], object]) -> list[Any]:
        """As `Commands.run`. Raises CacheStoreError, at once while Redis is away."""
        return await self._guarded(self.commands.run, fill)

    async def one(self, *arguments: Argument) -> Any:
        """As `Commands.one`. Raises CacheStoreError, at once while Redis is away."""
        return await self._guarded(self.commands.one, arguments)

    async def aclose(self) -> None:
        """Close all connections and try no more."""
        self._here = False
        self.good_until = 0.0
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        self._tried.set()
        await self.commands.aclose()

    async def _guarded[A, T](self, command: Callable[[A], Awaitable[T]], argument: A) -> T:
        async with self._turns:
            if not self._here:
                raise CacheStoreError("the cache's Redis is away")
            began = self._clock.now()
            try:
                return await command(argument)
            except _FAILURES as error:
                raise self._failure(error, self._clock.now() - began) from error

    def _failure(self, error: Exception, took_s: float) -> CacheStoreError:
        """What a command's error means for Redis, and for who asked."""
        if isinstance(error, TimeoutError) and took_s > _STALLED * self.commands.timeout_s:
            return CacheStoreError("there was no time to hear the cache's Redis")
        if isinstance(error, (NoConnection, OSError)):
            self._lose(error)
            return CacheStoreError(f"the cache's Redis is away: {self._said(error)}")
        self._refused(error)
        return CacheStoreError(f"the cache's Redis refused: {error}")

    async def _watch(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            began = self._clock.now()
            try:
                await self._attend()
            except* _FAILURES as group:
                self._lose(group.exceptions[0])
            self._tried.set()
            if self._clock.now() - began > _LONGEST_PAUSE_S:
                pause = _FIRST_PAUSE_S
            await self._clock.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _attend(self) -> NoReturn:
        """Be connected until something fails."""
        await self.commands.forget_connections()
        connection = await self.commands.subscribe(CHANNEL)
        try:
            await self.commands.load_scripts()
            self._arrive()
            pong = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(connection, pong))
                group.create_task(self._beat(connection, pong))
                group.create_task(self._break())
        finally:
            await connection.disconnect(nowait=True)
        raise AssertionError("the tasks of a group that never ends have ended")

    async def _receive(self, connection: AbstractConnection, pong: asyncio.Event) -> NoReturn:
        while True:
            match await connection.read_response():
                case [b"message", _, message]:
                    self._listener.changed(message)
                case [b"pong", _]:
                    pong.set()
                case other:
                    raise NoConnection(f"an answer nobody asked for: {other!r}")

    async def _beat(self, connection: AbstractConnection, pong: asyncio.Event) -> NoReturn:
        while True:
            asked_at = self._clock.now()
            pong.clear()
            await connection.send_command("PING")
            async with asyncio.timeout(_GOOD_FOR_S):
                await pong.wait()
            if self._here:
                self.good_until = asked_at + _GOOD_FOR_S
                await self._listener.beat()
            await self._clock.sleep(_BEAT_S)

    async def _break(self) -> NoReturn:
        await self._broken.wait()
        raise self._why

    def _arrive(self) -> None:
        self._broken.clear()
        self._here = True
        self._tried.set()
        if self._told_away:
            self._told_away = False
            self._tell("cache_store_recovered", Level.INFO, "The cache's Redis is back; responses are stored again.")

    def _lose(self, error: BaseException) -> None:
        """Redis is away: told once."""
        self._here = False
        self.good_until = 0.0
        self._why = error
        self._broken.set()
        self._listener.lost()
        if not self._told_away:
            self._told_away = True
            self._tell(
                "cache_store_unavailable",
                Level.ERROR,
                f"The cache's Redis is away: {self._said(error)}. Requests are forwarded and nothing is stored until it is "
                "back; it is tried again all the time.",
            )

    def _refused(self, error: Exception) -> None:
        """A command was answered with an error, such as that memory is full: told now and then."""
        if self._clock.now() >= self._quiet_until:
            self._quiet_until = self._clock.now() + _QUIET_S
            self._tell("cache_store_failed", Level.ERROR, f"The cache's Redis refused a command: {error}")

    def _tell(self, event: str, level: Level, message: str) -> None:
        self._events.emit(Notice(Stage.CACHE, event, level, message, {"redis": self.commands.place}))

    def _said(self, error: BaseException) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self.commands.timeout_s * 1000:.0f} ms"
        return str(error) or type(error).__name__
