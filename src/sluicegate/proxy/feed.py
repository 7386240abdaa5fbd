"""The body of a client's request, fed by the lane and read by the engine, with a bound between them."""

import asyncio
from collections.abc import Callable

from sluicegate.core.http import FieldList
from sluicegate.errors import ClientGone

HIGH_WATER = 512 * 1024
LOW_WATER = 128 * 1024


def _nothing() -> None:
    return None


class ClientBody:
    """A `BodyReader` over what the client sends.

    Above `HIGH_WATER` bytes unread the client's transport is paused, below `LOW_WATER` it goes on. The first read asks
    the client for the body when it waits for `100 Continue` (RFC 9110 §10.1.1); by then the permit has been taken.
    """

    def __init__(self, length: int | None, *, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self.length = length
        self.trailers: FieldList = []
        self.ended = False
        self.on_first_read: Callable[[], None] = _nothing
        self._pause = pause
        self._resume = resume
        self._pieces: list[bytes] = []
        self._size = 0
        self._paused = False
        self._discarded = False
        self._gone = False
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        """A piece has come."""
        if self._discarded:
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._size > HIGH_WATER:
            self._paused = True
            self._pause()
        self._wake()

    def end(self) -> None:
        """The body is complete."""
        self.ended = True
        self._wake()

    def abort(self) -> None:
        """The client has gone; whoever reads is told so."""
        self._gone = not self.ended
        self._wake()

    async def read(self) -> bytes:
        ask, self.on_first_read = self.on_first_read, _nothing
        ask()
        while not self._pieces:
            if self._gone:
                raise ClientGone("The client closed its connection while it sent the request's body.")
            if self.ended or self._discarded:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = b"".join(self._pieces) if len(self._pieces) > 1 else self._pieces[0]
        self._pieces.clear()
        self._size = 0
        self._unpause()
        return data

    async def aclose(self) -> None:
        self.discard()

    def discard(self) -> None:
        """Nobody reads any more: what still comes is thrown away."""
        self._discarded = True
        self._pieces.clear()
        self._size = 0
        self._unpause()
        self._wake()

    def _unpause(self) -> None:
        if self._paused and self._size <= LOW_WATER:
            self._paused = False
            self._resume()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
