"""Every kind of cache store, made alike, and the words that tests of them are told in."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from sluicegate.clock import SystemClock
from sluicegate.core.caching.decisions import Span
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.ports import CacheStore
from sluicegate.stores.cache.disk.store import DiskCacheStore
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.stores.cache.redis.store import RedisCacheStore
from support.cache_entries import KEY, entry
from support.messages import read_all
from support.redis_server import RedisServer

KIB, MIB = 1024, 1024 * 1024


class Notices:
    """What a store told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def wants(self, _kind: type) -> bool:
        return True

    def emit(self, event: object) -> None:
        self.told.append(event)

    @property
    def names(self) -> list[str]:
        return [notice.event for notice in self.told]


class Kind:
    """A kind of store and what is behind it: `open` opens one more store on the same."""

    def __init__(self, name: str, directory: Path, server: RedisServer | None) -> None:
        self.name = name
        self.shared = name != "memory"
        self._directory = directory
        self._server = server
        self._opened: list[CacheStore] = []
        if server is not None:
            server.cli("flushall")

    @property
    def place(self) -> str:
        """What another process needs to open the same."""
        return self._server.url if self._server is not None else str(self._directory)

    async def open(self, *, max_size: int = 256 * MIB, max_entry_size: int = 8 * MIB) -> CacheStore:
        store = make_store(self.name, self.place, max_size=max_size, max_entry_size=max_entry_size)
        self._opened.append(store)
        assert await store.entries("http://nobody.example/") == []
        return store

    async def aclose(self) -> None:
        for store in self._opened:
            await store.aclose()


def make_store(kind: str, place: str, *, max_size: int, max_entry_size: int) -> CacheStore:
    """A store of this kind, not yet used."""
    clock = SystemClock()
    if kind == "memory":
        return MemoryCacheStore(max_size=max_size, max_entry_size=max_entry_size)
    if kind == "disk":
        return DiskCacheStore(
            Path(place), events=Notices(), clock=clock, max_size=max_size, max_entry_size=max_entry_size
        )
    return RedisCacheStore(
        place, events=Notices(), clock=clock, max_size=max_size, max_body=max_entry_size, timeout_s=10.0
    )


async def keep(store: CacheStore, *pieces: bytes, key: str = KEY) -> StoredEntry:
    """Store a body of these pieces."""
    kept = await try_to_keep(store, *pieces, key=key)
    assert kept is not None
    return kept


async def try_to_keep(
    store: CacheStore, *pieces: bytes, key: str = KEY, length: int | None = None
) -> StoredEntry | None:
    """Store a body of these pieces, if that is possible."""
    writer = store.begin(key, entry(), length)
    if writer is None:
        return None
    try:
        for piece in pieces:
            if not await writer.write(piece):
                return None
        return await writer.commit()
    finally:
        await writer.aclose()


async def body_of(store: CacheStore, stored: StoredEntry, span: Span | None = None) -> bytes:
    """The stored body or a part of it, read to its end and closed."""
    reader = await store.open_body(stored, span)
    try:
        return await read_all(reader)
    finally:
        await reader.aclose()


async def ids(store: CacheStore, key: str = KEY) -> set[str]:
    """The ids of what is found under a key."""
    return {found.id for found in await store.entries(key)}


async def arrive(store: CacheStore, *kept: StoredEntry, key: str = KEY) -> None:
    """Wait until a store finds what another one has kept: new entries may be written behind."""
    async with asyncio.timeout(10):
        while not {one.id for one in kept} <= await ids(store, key):
            await asyncio.sleep(0.001)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
