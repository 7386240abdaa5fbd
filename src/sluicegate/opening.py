"""Opening the stores that a configuration names: of responses, of permits, of slots."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sluicegate.clock import Clock
from sluicegate.config import compile as compiled
from sluicegate.config.models import Settings
from sluicegate.core.limits.ports import PermitStore
from sluicegate.core.ports import CacheStore, EventSink
from sluicegate.errors import CacheStoreError, PermitStoreError, StartError
from sluicegate.stores.cache.disk.store import DiskCacheStore
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.stores.cache.redis.store import RedisCacheStore
from sluicegate.stores.permits.memory import MemoryPermitStore
from sluicegate.stores.permits.slots import LockedSlots
from sluicegate.stores.permits.sqlite import SqlitePermitStore

_NO_BOUND = 2**50
"""Bytes; larger than any `cache.max_size`."""


def open_cache_store(settings: Settings, events: EventSink, clock: Clock, *, repairs: bool = True) -> CacheStore:
    """The store of responses. Must be called with a running event loop. Raises StartError.

    With `repairs`, the one on disk removes what proves to be damaged when it is read.
    """
    max_entry_size = compiled.max_entry_size(settings)
    if settings.cache.store == "redis":
        return _redis_cache(settings, events, clock)
    if settings.cache.store == "memory":
        return MemoryCacheStore(max_size=settings.cache.max_size, max_entry_size=max_entry_size)
    return DiskCacheStore(
        settings.state_dir / "cache",
        events=events,
        clock=clock,
        max_size=settings.cache.max_size,
        max_entry_size=max_entry_size,
        repairs=repairs,
    )


@asynccontextmanager
async def cache_store_beside(settings: Settings, events: EventSink, clock: Clock) -> AsyncIterator[CacheStore]:
    """The store that other processes use, for one that only looks after it. Raises StartError.

    It makes no room, and leaves what is damaged to be told of.
    """
    unbounded = settings.cache.model_copy(update={"max_size": _NO_BOUND})
    store = open_cache_store(settings.model_copy(update={"cache": unbounded}), events, clock, repairs=False)
    try:
        yield store
    finally:
        await store.aclose()


def open_permit_store(settings: Settings, clock: Clock) -> PermitStore:
    """The store of permits. Raises StartError."""
    if settings.limits.backend == "memory":
        return MemoryPermitStore(clock)
    store = SqlitePermitStore(settings.state_dir, clock)
    try:
        store.open()
    except PermitStoreError as error:
        raise StartError(str(error), advice=error.advice) from error
    return store


def open_slot_store(settings: Settings, clock: Clock) -> LockedSlots | None:
    """The slots shared with other processes; None where nothing is shared. Raises StartError."""
    if settings.limits.backend == "memory":
        return None
    store = LockedSlots(settings.state_dir, clock)
    try:
        store.open()
    except PermitStoreError as error:
        raise StartError(str(error), advice=error.advice) from error
    return store


def _redis_cache(settings: Settings, events: EventSink, clock: Clock) -> RedisCacheStore:
    cache = settings.cache
    try:
        return RedisCacheStore(
            cache.redis_url.get_secret_value(),
            events=events,
            clock=clock,
            max_size=cache.max_size,
            max_body=min(cache.redis_max_body, compiled.max_entry_size(settings)),
        )
    except CacheStoreError as error:
        raise StartError(str(error), advice=error.advice) from error
