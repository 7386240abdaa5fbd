"""A client's connection as asyncio gives it to mitmproxy, with a way past mitmproxy's reader.

mitmproxy reads in a task of its own, and every piece goes through a lock and all layers: several times what answering a
request from memory costs. Where nothing stands above the lane, it may have the bytes as they come from the socket. The
end of the connection is still mitmproxy's to notice, and the reader gets the bytes back when a protocol change needs it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

LIMIT = 64 * 1024
"""Bytes that mitmproxy's reader may hold unread, twice over, before the client is not read from."""
_logger = logging.getLogger(__name__)

type OnConnected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Receiver(Protocol):
    """Who takes a client's bytes straight from the socket."""

    def take(self, data: bytes) -> None:
        """Bytes have come."""

    def clogged(self, clogged: bool) -> None:
        """The client has left too much unread of what it was sent, or (False) has caught up."""


class ClientReader(asyncio.StreamReader):
    """A stream reader that knows how many bytes it holds."""

    unread = 0

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # asyncio feeds bytes, whatever typeshed says
        self.unread += len(data)
        super().feed_data(data)

    async def read(self, n: int = -1) -> bytes:
        data = await super().read(n)
        self.unread -= len(data)
        return data


class ClientProtocol(asyncio.StreamReaderProtocol):
    """What asyncio tells about one client connection. `on_connected` is mitmproxy's handling of it."""

    def __init__(self, on_connected: OnConnected) -> None:
        loop = asyncio.get_running_loop()
        self._reader = ClientReader(LIMIT, loop=loop)
        super().__init__(self._reader, on_connected, loop=loop)
        self.busy = False
        """A conversation is under way: the connection is not idle, however long that waits."""
        self._receiver: Receiver | None = None
        self._transport: asyncio.BaseTransport | None = None

    def divert(self, receiver: Receiver) -> bool:
        """Give what comes from now on to `receiver`; False, and nothing changes, while the reader holds bytes."""
        if self._reader.unread:
            return False
        self._receiver = receiver
        return True

    def restore(self) -> None:
        """Give what comes from now on to the reader again."""
        self._receiver = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._receiver is None:
            super().data_received(data)
            return
        try:
            self._receiver.take(data)
        except Exception:
            _logger.exception("a client's connection was cut because of a fault of ours")
            self._receiver = None
            if isinstance(self._transport, asyncio.Transport):
                self._transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._receiver is not None:
            self._receiver.clogged(True)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._receiver is not None:
            self._receiver.clogged(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._receiver = None
        self._transport = None
        super().connection_lost(exc)
