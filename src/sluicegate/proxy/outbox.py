"""What is ready for a client, between the task that makes it and the lane that sends it."""

import asyncio
from typing import Protocol

ROOM = 128 * 1024
"""Bytes that may wait for the lane before the maker has to; one piece may go over it."""


class Sink(Protocol):
    """Where a conversation puts what the client is to be sent."""

    def post(self, piece: bytes, *, last: bool = False) -> None:
        """Add a piece without waiting. After the `last` one comes the end, and soon."""

    async def put(self, piece: bytes) -> None:
        """Add a piece, then wait until there is room for another. May raise ClientGone."""

    def end(self) -> None:
        """Nothing more will come."""


class Outbox:
    """Pieces in order, and an end. One maker, one taker; small answers are taken whole."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._ended = False
        self._taker: asyncio.Future[None] | None = None
        self._maker: asyncio.Future[None] | None = None

    def post(self, piece: bytes, *, last: bool = False) -> None:  # noqa: ARG002 - the end says the same here
        """Add a piece without waiting for room."""
        self._pieces.append(piece)
        self._size += len(piece)
        _wake(self._taker)

    async def put(self, piece: bytes) -> None:
        """Add a piece, then wait until there is room for another."""
        self.post(piece)
        while self._size > ROOM:
            self._maker = asyncio.get_running_loop().create_future()
            await self._maker

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        _wake(self._taker)

    async def take(self) -> tuple[bytes, bool]:
        """All that is ready (b"" only at the end), and whether that was the last of it."""
        while not self._pieces and not self._ended:
            self._taker = asyncio.get_running_loop().create_future()
            await self._taker
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        _wake(self._maker)
        return data, self._ended


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
