"""A body made of several: the parts of a multipart response, or a stored part and what completes it."""

from collections.abc import Awaitable, Callable, Sequence

from sluicegate.core.http import FieldList
from sluicegate.core.ports import BodyReader
from sluicegate.errors import ResponseCutShort

type Link = bytes | BodyReader | Callable[[], Awaitable[BodyReader]]
"""Bytes, a body, or how to open one when its turn comes."""


class ChainedBody:
    """`ports.BodyReader` of links, one after the other, of `length` bytes in all."""

    def __init__(self, links: Sequence[Link], length: int) -> None:
        self.length: int | None = length
        self.trailers: FieldList = []
        self._links = list(links)
        self._open: BodyReader | None = None
        self._left = length

    async def read(self) -> bytes:
        while (piece := await self._piece()) is not None:
            if piece:
                self._left -= len(piece)
                return piece
        if self._left:
            raise ResponseCutShort("The parts of a response are not as long as they were said to be.")
        return b""

    async def aclose(self) -> None:
        links, self._links = self._links, []
        for link in [self._open, *links]:
            if link is not None and not isinstance(link, bytes) and not callable(link):
                await link.aclose()
        self._open = None

    async def _piece(self) -> bytes | None:
        """The next piece, b"" where one link ends, None after the last."""
        if self._open is not None:
            if not (piece := await self._open.read()):
                self.trailers = self._open.trailers
                ended, self._open = self._open, None
                await ended.aclose()
            return piece
        if not self._links:
            return None
        link = self._links.pop(0)
        if isinstance(link, bytes):
            return link
        self._open = await link() if callable(link) else link
        return b""
