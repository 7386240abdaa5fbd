"""The client's socket itself, for a lane that nothing stands above: no TLS, no tunnel, no layer that has to see the bytes.

What the engine makes is written at once, and the lane is told of the end by an event of its own. That is several times
cheaper than a hook for each piece, which is what lanes inside other layers use (`lane.NextPieceHook`).
"""

import asyncio

from mitmproxy.connection import Connection
from mitmproxy.proxy import events
from mitmproxy.proxy.server import ConnectionHandler

from sluicegate.errors import ClientGone

TOGETHER = 64 * 1024
"""Bytes up to which pieces are gathered until the event loop's next turn, so that a small answer is one write."""


class ConversationEnded(events.ConnectionEvent):
    """The lane's conversation is over, its last byte written."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection


class Direct:
    """Where a conversation puts its pieces; see `outbox.Outbox` for the other such place."""

    def __init__(self, handler: ConnectionHandler, writer: asyncio.StreamWriter) -> None:
        self._handler = handler
        self._writer = writer
        self._pieces: list[bytes] = []
        self._size = 0
        # mitmproxy closes connections on which nothing happens; one that waits for its limit is not idle.
        self._patience = handler.timeout_watchdog.disarm()
        self._patience.__enter__()

    def post(self, piece: bytes) -> None:
        """Add a piece without waiting for the client."""
        if not self._pieces:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pieces.append(piece)
        self._size += len(piece)

    async def put(self, piece: bytes) -> None:
        """Add a piece, then wait until the client has taken enough. Raises ClientGone."""
        self.post(piece)
        if self._size <= TOGETHER:
            return
        self._flush()
        try:
            await self._writer.drain()
        except OSError as error:
            raise ClientGone("The client closed its connection.") from error

    async def end(self) -> None:
        """Write what is left and let the lane go on."""
        self._flush()
        self._patience.__exit__(None, None, None)
        await self._handler.server_event(ConversationEnded(self._handler.client))

    def _flush(self) -> None:
        if not self._pieces:
            return
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if not self._writer.is_closing():
            self._writer.write(data)
