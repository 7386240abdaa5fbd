"""Stored responses told in few words, put into a store as the engine would."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.caching.listing import Listed
from sluicegate.core.ports import CacheStore
from support.disk_store import opened, written
from support.messages import request, response

FRESH = 'Cache-Control: max-age=600\nContent-Type: text/plain; charset=utf-8\nETag: "1"'
STALE = "Cache-Control: max-age=1\nContent-Type: text/html"


@dataclass(frozen=True)
class Kept:
    """A response: `age_s` ago it was stored; `asked` are the request's fields that are kept with it."""

    url: str
    body: bytes = b"body"
    headers: str = FRESH
    status: int = 200
    asked: str = ""
    age_s: float = 0.0
    method: str = "GET"

    def entry(self, now: float) -> StoredEntry:
        stored = now - self.age_s
        head = response(self.headers, status=self.status)
        return StoredEntry("", request(self.url, self.asked, method=self.method), head, stored, stored)

    def listed(self, now: float = 1000.0, *, size: int = 100, digest: bytes | None = bytes(16)) -> Listed:
        """As a store would list it."""
        entry = self.entry(now)
        entry.id, entry.body_length = self.url, len(self.body)
        return Listed(cache_key(entry.request), entry, size, now, digest)


async def put(store: CacheStore, *kept: Kept, now: float | None = None) -> list[StoredEntry]:
    """Store them; `now` is Unix time."""
    entries = []
    for one in kept:
        entry = one.entry(time.time() if now is None else now)
        writer = store.begin(cache_key(entry.request), entry, None)
        assert await writer.write(one.body)
        entries.append(await writer.commit())
        await writer.aclose()
    return entries


async def listing(store: CacheStore) -> dict[str, Listed]:
    """What is stored, by key."""
    return {listed.key: listed async for listed in store.listed()}


def fill(state_dir: Path, *kept: Kept) -> None:
    """Put them into the cache of a state directory, as another process that ends before this returns."""

    async def main() -> None:
        async with opened(state_dir / "cache") as store:
            await put(store, *kept)
            await written(store)

    asyncio.run(main())
