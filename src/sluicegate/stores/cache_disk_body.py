"""Bodies on their way into hishel's storage and out of it."""

import contextlib
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import cast

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.http import FieldList
from sluicegate.core.ports import BodyReader
from sluicegate.errors import CacheStoreError


class PendingStream:
    """A stored body's stream that can be read once, whoever comes first."""

    def __init__(self, stream: object) -> None:
        self._stream: AsyncGenerator[bytes] | None = as_generator(stream)

    def take(self) -> AsyncGenerator[bytes] | None:
        """The stream, or None when it was taken before."""
        stream, self._stream = self._stream, None
        return stream


@dataclass(slots=True)
class DiskEntry(StoredEntry):
    """An entry as looked up, with the stream that hishel opened for it."""

    stream: PendingStream | None = None


class StoredBody:
    """A stored body, read from hishel's stream; shorter than it should be is a failure."""

    def __init__(self, stream: AsyncGenerator[bytes], length: int | None) -> None:
        self.length = length
        self.trailers: FieldList = []
        self._stream = stream
        self._ready: bytes | None = None
        self._delivered = 0

    async def open(self) -> None:
        """Fetch the first piece, so that a body that is gone is noticed now. Raises CacheStoreError."""
        self._ready = await self._next()

    async def read(self) -> bytes:
        piece, self._ready = self._ready, None
        return await self._next() if piece is None else piece

    async def aclose(self) -> None:
        self._ready = b""
        await self._stream.aclose()

    async def _next(self) -> bytes:
        try:
            piece = await anext(self._stream, b"")
        except (RuntimeError, sqlite3.Error, OSError) as error:
            raise CacheStoreError(f"the stored body cannot be read: {error}") from error
        self._delivered += len(piece)
        if not piece and self.length is not None and self._delivered < self.length:
            raise CacheStoreError(f"the stored body ends after {self._delivered} of {self.length} bytes")
        return piece


class SavingBody:
    """A body that hishel saves as it is read from `stream`, which draws on `body`.

    hishel makes the entry visible when the stream ends, and drops it when it is closed or fails before.
    """

    def __init__(self, body: BodyReader, stream: AsyncGenerator[bytes]) -> None:
        self.length = body.length
        self.trailers = body.trailers
        self._body = body
        self._stream = stream

    async def read(self) -> bytes:
        piece = await anext(self._stream, b"")
        if not piece:
            self.trailers = self._body.trailers
        return piece

    async def aclose(self) -> None:
        try:
            # A read that another task has under way owns the generator; it drops the entry when it is cancelled.
            with contextlib.suppress(RuntimeError):
                await self._stream.aclose()
        finally:
            await self._body.aclose()


async def pieces(body: BodyReader) -> AsyncIterator[bytes]:
    """The body as the iterator that hishel draws on."""
    while piece := await body.read():
        yield piece


def as_generator(stream: object) -> AsyncGenerator[bytes]:
    """What hishel types as iterators are asynchronous generators, which can be closed."""
    return cast("AsyncGenerator[bytes]", stream)
