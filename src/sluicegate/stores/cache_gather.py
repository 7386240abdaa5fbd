"""A body that is gathered in memory on its way to whoever reads it, until it turns out to be too large for that."""

from collections.abc import Awaitable, Callable

from sluicegate.core.http import FieldList
from sluicegate.core.ports import BodyReader

type OnWhole = Callable[[bytes], Awaitable[None]]
type OnTooLarge = Callable[[BodyReader], Awaitable[BodyReader]]


class Gathering:
    """Passes a body through. Read to its end, it is given to `on_whole`, before the reader is told of the end.

    One of more than `limit` bytes goes on through the reader that `on_too_large` makes of it, from its beginning.
    """

    def __init__(self, body: BodyReader, limit: int, *, on_whole: OnWhole, on_too_large: OnTooLarge) -> None:
        self.length: int | None = body.length
        self._body = body
        self._limit = limit
        self._on_whole: OnWhole | None = on_whole
        self._on_too_large = on_too_large
        self._pieces: list[bytes] = []
        self._size = 0
        self._instead: BodyReader | None = None

    @property
    def trailers(self) -> FieldList:
        return self._body.trailers

    async def read(self) -> bytes:
        if self._instead is not None:
            return await self._instead.read()
        try:
            piece = await self._body.read()
        except BaseException:
            self._give_up()
            raise
        if self._on_whole is not None:
            await self._keep(self._on_whole, piece)
        return piece

    async def aclose(self) -> None:
        self._give_up()
        await (self._instead or self._body).aclose()

    async def _keep(self, on_whole: OnWhole, piece: bytes) -> None:
        if not piece:
            whole = b"".join(self._pieces)
            self._give_up()
            await on_whole(whole)
            return
        self._pieces.append(bytes(piece))
        self._size += len(piece)
        if self._size > self._limit:
            pieces = self._pieces
            self._give_up()
            self._instead = await self._on_too_large(_Replayed(pieces, self._body))
            for _ in pieces:
                await self._instead.read()

    def _give_up(self) -> None:
        self._on_whole = None
        self._pieces = []


class _Replayed:
    """A body from its beginning, of which some pieces have been read."""

    def __init__(self, pieces: list[bytes], rest: BodyReader) -> None:
        self.length = rest.length
        self._pieces = iter(pieces)
        self._rest = rest

    @property
    def trailers(self) -> FieldList:
        return self._rest.trailers

    async def read(self) -> bytes:
        return next(self._pieces, b"") or await self._rest.read()

    async def aclose(self) -> None:
        await self._rest.aclose()
