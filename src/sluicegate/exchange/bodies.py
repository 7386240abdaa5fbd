"""Small bodies and wrappers around bodies, all keeping `ports.BodyReader`'s promise: the whole or an error."""

from collections.abc import Callable
from types import EllipsisType

from sluicegate.core.http import FieldList
from sluicegate.core.ports import BodyReader


class BytesBody:
    """A body that is already there."""

    __slots__ = ("_data", "length", "trailers")

    def __init__(
        self, data: bytes = b"", *, length: int | EllipsisType | None = ..., trailers: FieldList | None = None
    ) -> None:
        """`length` is None where the framing did not tell it, and left out where it is simply that of the data."""
        self.length: int | None = len(data) if length is ... else length
        self.trailers: FieldList = [] if trailers is None else trailers
        self._data = data

    @property
    def content(self) -> bytes:
        """What has not been read yet."""
        return self._data

    async def read(self) -> bytes:
        data, self._data = self._data, b""
        return data

    async def aclose(self) -> None:
        self._data = b""


class ReleasingBody:
    """Passes `body` through and calls `release` once: at its end, at its failure, or when it is given up."""

    def __init__(self, body: BodyReader, release: Callable[[], None]) -> None:
        self._body = body
        self._release: Callable[[], None] | None = release

    @property
    def length(self) -> int | None:
        return self._body.length

    @property
    def trailers(self) -> FieldList:
        return self._body.trailers

    async def read(self) -> bytes:
        try:
            data = await self._body.read()
        except Exception:  # not when cancelled: somebody else may read on, and whoever does not closes it
            self._released()
            raise
        if not data:
            self._released()
        return data

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            self._released()

    def _released(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()


async def drain(body: BodyReader) -> None:
    """Read a body to its end and throw it away."""
    while await body.read():
        pass
