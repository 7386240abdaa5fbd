"""What comes with a digest of its own (RFC 9530) is kept only if it is what the origin says that it is."""

import hashlib

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.integrity import Claim, claim
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.core.http import ResponseHead
from sluicegate.core.ports import EntryWriter, EventSink


class CheckedWriter:
    """`ports.EntryWriter` that commits nothing but what matches `claim`. Who reads the response gets it in any case."""

    def __init__(self, writer: EntryWriter, claim: Claim, url: str, events: EventSink) -> None:
        self._writer = writer
        self._claim = claim
        self._url = url
        self._events = events
        self._hash = hashlib.new(claim.algorithm, usedforsecurity=False)

    async def write(self, piece: bytes) -> bool:
        self._hash.update(piece)
        return await self._writer.write(piece)

    async def read(self, start: int) -> bytes:
        return await self._writer.read(start)

    async def commit(self) -> StoredEntry | None:
        if self._hash.digest() == self._claim.digest:
            return await self._writer.commit()
        self._events.emit(
            Notice(
                Stage.CACHE,
                "cache_digest_mismatch",
                Level.WARNING,
                "A response is not what its digest says; it was passed on and not kept.",
                {"url": self._url, "algorithm": self._claim.algorithm},
            )
        )
        return None

    async def aclose(self) -> None:
        await self._writer.aclose()


def checked(writer: EntryWriter, head: ResponseHead, url: str, events: EventSink) -> EntryWriter:
    """`writer`, which checks what it is given if the response's head says what that has to be."""
    found = claim(head)
    return writer if found is None else CheckedWriter(writer, found, url, events)
