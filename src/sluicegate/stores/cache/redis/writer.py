"""A response on its way into Redis: written in pieces that nobody sees, and shown in one step."""

from collections.abc import Callable
from dataclasses import replace

from sluicegate.core.caching.digests import digesting
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.redis import heads
from sluicegate.stores.cache.redis.budget import Budget
from sluicegate.stores.cache.redis.keys import PIECE, EntryId, tag_of
from sluicegate.stores.cache.redis.notes import Note
from sluicegate.stores.cache.redis.vault import Vault

_FOLLOWED = 64 * 1024
"""What one `read` gives of what is not in Redis yet (bytes)."""


class RedisWriter:
    """`ports.EntryWriter`. Of the body, not more than a piece is in memory.

    `good` says whether what is on its way may still be kept; `on_change` is told the tag under which something changed.
    """

    def __init__(
        self,
        vault: Vault,
        budget: Budget,
        entry: StoredEntry,
        key: str,
        *,
        max_body: int,
        on_change: Callable[[str], None],
        good: Callable[[], bool] = lambda: True,
    ) -> None:
        self._vault = vault
        self._budget = budget
        self._entry = entry
        self._key = key
        self._id = EntryId.new(tag_of(key))
        self._digesting = digesting()
        self._max_body = max_body
        self._on_change = on_change
        self._good = good
        self._claimed: EntryId | None = None
        self._in_redis = 0
        self._rest = bytearray()
        self._over = False
        self._committed = False

    async def write(self, piece: bytes) -> bool:
        if self._over or self._committed:
            return False
        if self._length + len(piece) > self._max_body:
            await self._drop()
            return False
        self._rest += piece
        self._digesting.update(piece)
        try:
            while len(self._rest) >= PIECE and await self._claim(self._id.grown(self._in_redis + PIECE)):
                await self._vault.write_piece(self._id, self._in_redis // PIECE, bytes(self._rest[:PIECE]))
                del self._rest[:PIECE]
                self._in_redis += PIECE
        except CacheStoreError:
            await self._drop()
        return not self._over

    async def read(self, start: int) -> bytes:
        if self._over:
            raise CacheStoreError("the response is not being stored any more")
        if start < self._in_redis:
            return await self._vault.read(self._id.grown(self._in_redis), start, self._in_redis)
        offset = start - self._in_redis
        return bytes(self._rest[offset : offset + _FOLLOWED])

    async def commit(self) -> StoredEntry | None:
        if self._over or self._committed:
            return None
        if not self._good():
            await self._drop()
            return None
        try:
            head = heads.dump(self._entry)
            note = Note(self._digesting.digest(), self._key)
            entry_id = self._id.grown(self._length, len(head) + len(self._key))
            if await self._claim(entry_id):
                self._committed = await self._vault.commit(entry_id, head, bytes(self._rest), note)
        except CacheStoreError:
            self._committed = False
        if not self._committed:
            await self._drop()
            return None
        self._on_change(entry_id.tag)
        if not self._good():  # invalidated while Redis was asked
            self._committed = False
            await self._drop()
            self._on_change(entry_id.tag)  # whoever has looked meanwhile has found it
            return None
        return replace(self._entry, id=str(entry_id), body_length=entry_id.length)

    async def aclose(self) -> None:
        if self._committed:
            self._over = True
            self._rest.clear()
        else:
            await self._drop()

    @property
    def _length(self) -> int:
        return self._in_redis + len(self._rest)

    async def _claim(self, entry_id: EntryId) -> bool:
        """Reserve what is there by then; the storing is over if that cannot be."""
        if not await self._budget.claim(self._claimed, entry_id):
            await self._drop()
            return False
        self._claimed = entry_id
        return True

    async def _drop(self) -> None:
        self._over = True
        self._rest.clear()
        claimed, self._claimed = self._claimed, None
        if claimed is None:
            return
        try:
            await self._vault.remove([claimed])
            await self._budget.drop([str(claimed)])
        except CacheStoreError:
            return  # pieces expire by themselves, and the note of them goes when it is the oldest
