"""A look into the state directory that changes nothing there: what is stored, and what a permit would cost.

It is one more process beside those that run. What is not there yet is not made.
"""

from sluicegate.clock import Clock
from sluicegate.config.models import Settings
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.limits.model import Limit
from sluicegate.core.ports import EventSink
from sluicegate.errors import CacheStoreError, PermitStoreError
from sluicegate.opening import cache_store_beside
from sluicegate.stores.cache.disk.database import DATABASE_NAME
from sluicegate.stores.permits import sqlite

_CACHE_UNKNOWN = "cache.store is memory: what a running proxy holds is known to nobody else. This is what happens when it holds nothing."
_WAIT_UNKNOWN = (
    "limits.backend is memory: what a running proxy has spent is known to nobody else, so neither is the wait."
)


class Inspection:
    """`remarks` says what cannot be known, and why."""

    def __init__(self, settings: Settings, *, clock: Clock, events: EventSink) -> None:
        self.remarks: list[str] = []
        self._settings = settings
        self._clock = clock
        self._events = events

    async def stored(self, key: str) -> list[StoredEntry]:
        """What is stored under a cache key; it does not count as a use. Raises StartError."""
        cache, directory = self._settings.cache, self._settings.state_dir
        if cache.mode == "off":
            return []
        if cache.store == "memory":
            self.remarks.append(_CACHE_UNKNOWN)
            return []
        if cache.store == "disk" and not (directory / "cache" / DATABASE_NAME).exists():
            self.remarks.append(f"There is no cache in {directory} yet.")
            return []
        try:
            async with cache_store_beside(self._settings, self._events, self._clock) as store:
                return [listed.entry async for listed in store.listed(key, exact=True)]
        except CacheStoreError as error:
            self.remarks.append(f"The cache could not be read: {error}.")
            return []

    async def wait_s(self, key: str, limit: Limit) -> float | None:
        """How long the next request would wait for its permit, if nobody waits before it; None: that is not known."""
        if limit.unlimited:
            return 0.0
        if self._settings.limits.backend == "memory":
            self.remarks.append(_WAIT_UNKNOWN)
            return None
        if not (self._settings.state_dir / sqlite.FILE_NAME).exists():
            return 0.0
        permits = sqlite.SqlitePermitStore(self._settings.state_dir, self._clock)
        try:
            return await permits.predict(key, limit, 0)
        except PermitStoreError as error:
            self.remarks.append(f"The permits could not be read: {error}.")
            return None
        finally:
            await permits.aclose()
