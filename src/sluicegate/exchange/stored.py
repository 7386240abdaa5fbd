"""What the store has for an answer: entries and bodies, and `None` where it turns out to have nothing any more."""

from collections.abc import Sequence
from functools import partial

from sluicegate.core.caching.decisions import Freshened, Hit, Multipart
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.ports import BodyReader, CacheStore
from sluicegate.errors import CacheStoreError
from sluicegate.exchange.bodies import BytesBody
from sluicegate.exchange.chained import ChainedBody, Link

NOT_MODIFIED = 304
BODYLESS = frozenset({NOT_MODIFIED, 416})
"""Statuses that the policy answers with, from a stored response and without its body."""


class Stored:
    """The store, as answers are made from it."""

    def __init__(self, store: CacheStore) -> None:
        self.store = store

    async def entries(self, key: str) -> list[StoredEntry]:
        """What is stored under `key`, to the moment: what became complete while the store was asked is known by then."""
        found = self.store.recall(key)
        if found is None:
            found = await self.store.entries(key) or self.store.recall(key)
        return found or []

    async def body_of(self, found: Hit | Freshened, method: str) -> BodyReader | None:
        """The stored body; None when it is gone, and then the entry is too."""
        if method == "HEAD" or found.head.status in BODYLESS:
            return BytesBody()
        try:
            if isinstance(found, Hit) and found.multipart is not None:
                return await self._in_parts(found.entry, found.multipart)
            return await self.store.open_body(found.entry, found.span if isinstance(found, Hit) else None)
        except CacheStoreError:
            await self.store.remove(found.entry.id)
            return None

    async def freshen(self, entries: Sequence[StoredEntry]) -> None:
        """Replace the stored heads of these."""
        for entry in entries:
            await self.store.freshen(entry)

    async def remove(self, entry_ids: Sequence[str]) -> None:
        """Remove the entries of these ids."""
        for entry_id in entry_ids:
            await self.store.remove(entry_id)

    async def _in_parts(self, entry: StoredEntry, multipart: Multipart) -> BodyReader:
        """Several parts of a stored body; the first is opened at once, to see that it is there."""
        (heading, span), *others = multipart.parts
        links: list[Link] = [heading, await self.store.open_body(entry, span)]
        for heading, span in others:
            links += [heading, partial(self.store.open_body, entry, span)]
        return ChainedBody([*links, multipart.end], multipart.length)
