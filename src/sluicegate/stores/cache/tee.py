"""A body that is stored on its way to whoever reads it: the one rule of when an entry becomes visible."""

from sluicegate.core.http import FieldList
from sluicegate.core.ports import BodyReader, EntryWriter


class TeeReader:
    """Passes a body through and into a writer, which commits only once the body was read to its very end."""

    def __init__(self, body: BodyReader, writer: EntryWriter) -> None:
        self.length: int | None = body.length
        self.trailers: FieldList = body.trailers
        self._body = body
        self._writer: EntryWriter | None = writer

    async def read(self) -> bytes:
        try:
            piece = await self._body.read()
            if self._writer is not None:
                await self._keep(self._writer, piece)
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

    async def _keep(self, writer: EntryWriter, piece: bytes) -> None:
        if not piece:
            await writer.commit()
            await self._drop()
        elif not await writer.write(piece):
            await self._drop()

    async def _drop(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.aclose()
