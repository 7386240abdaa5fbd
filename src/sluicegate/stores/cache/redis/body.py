"""A body that is read from Redis, a piece at a time."""

from sluicegate.core.caching.decisions import Span
from sluicegate.core.http import FieldList
from sluicegate.stores.cache.redis.keys import EntryId
from sluicegate.stores.cache.redis.vault import Vault


class RedisBody:
    """`ports.BodyReader`: `first` is there already, the rest is read when it is asked for."""

    def __init__(self, vault: Vault, entry_id: EntryId, span: Span, first: bytes) -> None:
        self.length: int | None = span.end - span.start
        self.trailers: FieldList = []
        self._vault = vault
        self._id = entry_id
        self._next = first
        self._at = span.start
        self._end = span.end

    async def read(self) -> bytes:
        if self._at >= self._end:
            return b""
        piece = self._next or await self._vault.read(self._id, self._at, self._end)
        self._next = b""
        self._at += len(piece)
        return piece

    async def aclose(self) -> None:
        self._at = self._end
        self._next = b""
