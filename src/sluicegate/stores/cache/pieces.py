"""A body in memory as it came, piece by piece, so that it is never copied as a whole."""

from bisect import bisect_right

from sluicegate.core.caching.decisions import Span
from sluicegate.core.http import FieldList

_MERGED = 16 * 1024
"""Pieces are put together up to here, so that many tiny ones take no more memory than their bytes."""


class Pieces:
    """Bytes that are appended to and read from any offset. What is there never changes."""

    __slots__ = ("_ends", "_pieces", "_size")

    def __init__(self, data: bytes = b"") -> None:
        self._size = len(data)
        self._pieces: list[bytes] = [data] if data else []
        self._ends: list[int] = [self._size] if data else []

    def __len__(self) -> int:
        return self._size

    def append(self, piece: bytes) -> None:
        """Add bytes at the end."""
        if not piece:
            return
        self._size = end = self._size + len(piece)
        if self._pieces and len(self._pieces[-1]) + len(piece) <= _MERGED:
            self._pieces[-1] += piece
            self._ends[-1] = end
        else:
            self._pieces.append(bytes(piece))
            self._ends.append(end)

    def read(self, start: int) -> bytes:
        """Some bytes from offset `start`; b"" where there are none."""
        index = bisect_right(self._ends, start)
        if index == len(self._pieces):
            return b""
        piece = self._pieces[index]
        skip = start - (self._ends[index] - len(piece))
        return piece[skip:] if skip else piece

    def whole(self) -> bytes:
        """All of it, in one."""
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
            self._ends = [self._size]
        return self._pieces[0] if self._pieces else b""


class PiecesBody:
    """`ports.BodyReader` of a body in memory, or of a span of it. It holds the bytes itself: eviction does not touch it."""

    __slots__ = ("_at", "_end", "_pieces", "length", "trailers")

    def __init__(self, pieces: Pieces, span: Span | None = None) -> None:
        self._pieces = pieces
        self._at, self._end = (0, len(pieces)) if span is None else (span.start, span.end)
        self.length: int | None = self._end - self._at
        self.trailers: FieldList = []

    async def read(self) -> bytes:
        if self._at >= self._end:
            return b""
        piece = self._pieces.read(self._at)[: self._end - self._at]
        self._at += len(piece)
        return piece

    async def aclose(self) -> None:
        self._at = self._end
        self._pieces = Pieces()
