"""A body that is stored on its way to whoever reads it: the one rule of when an entry becomes visible."""

from typing import Protocol

from sluicegate.core.http import FieldList
from sluicegate.core.ports import BodyReader


class BodySink(Protocol):
    """Where a passing body goes. Methods may fail in their own ways, but never raise."""

    async def write(self, piece: bytes) -> bool:
        """Keep a piece; False when the storing is over (failed, too large) and what was kept is dropped."""

    async def commit(self) -> None:
        """The body is complete: make the entry visible."""

    async def abort(self) -> None:
        """The body will never be complete: drop what was kept. Idempotent."""


class TeeReader:
    """Passes a body through and into a sink; the sink commits only once the body was read to its very end."""

    def __init__(self, body: BodyReader, sink: BodySink) -> None:
        self.length: int | None = body.length
        self.trailers: FieldList = body.trailers
        self._body = body
        self._sink: BodySink | None = sink

    async def read(self) -> bytes:
        try:
            piece = await self._body.read()
            if self._sink is not None:
                await self._keep(self._sink, piece)
        except BaseException:
            await self._drop()
            raise
        if not piece:
            self.trailers = self._body.trailers
        return piece

    async def aclose(self) -> None:
        try:
            await self._drop()
        finally:
            await self._body.aclose()

    async def _keep(self, sink: BodySink, piece: bytes) -> None:
        if not piece:
            await sink.commit()
            self._sink = None
        elif not await sink.write(piece):
            self._sink = None

    async def _drop(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            await sink.abort()
