"""The client's socket itself, for a lane that nothing stands above: no TLS, no tunnel, no layer that has to see the bytes.

What comes is parsed in the same call, what the engine makes is written at once, and mitmproxy is only asked for what it
is needed for: an event (`Attention`) has it run the lane. That is several times cheaper than a read through mitmproxy's
own task and a hook for each piece, which is what lanes inside other layers use (`lane.NextPieceHook`).
"""

import asyncio
from collections.abc import Callable

from mitmproxy.connection import Connection
from mitmproxy.proxy import events
from mitmproxy.proxy.server import ConnectionHandler

from sluicegate.errors import ClientGone
from sluicegate.proxy.client_stream import ClientProtocol, Receiver
from sluicegate.tasks import spawn

TOGETHER = 64 * 1024
"""Bytes up to which pieces are gathered until the event loop's next turn, so that a small answer is one write."""


class Attention(events.ConnectionEvent):
    """The lane has something to do that only mitmproxy can do for it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection


class Direct:
    """A lane's own socket, and the place where its conversations put their pieces (`outbox.Sink`), one after the other."""

    def __init__(
        self,
        handler: ConnectionHandler,
        writer: asyncio.StreamWriter,
        protocol: ClientProtocol,
        on_end: Callable[[], None],
    ) -> None:
        """`on_end` is called when a conversation has ended, its last byte written."""
        self.heard = handler.timeout_watchdog.register_activity
        """The client has sent something: its connection is not idle."""
        self._handler = handler
        self._writer = writer
        self._transport = writer.transport
        self._protocol = protocol
        self._on_end = on_end
        self._pieces: list[bytes] = []
        self._size = 0

    @classmethod
    def open(
        cls, handler: ConnectionHandler, writer: asyncio.StreamWriter, receiver: Receiver, on_end: Callable[[], None]
    ) -> "Direct | None":
        """The socket of `writer`, whose bytes go to `receiver` from now on; None where that cannot be (yet)."""
        protocol = writer.transport.get_protocol()
        if not isinstance(protocol, ClientProtocol) or not protocol.divert(receiver):
            return None
        return cls(handler, writer, protocol, on_end)

    def send(self, data: bytes) -> None:
        """Write an answer that is there whole."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def begin(self) -> None:
        """A conversation begins. mitmproxy closes connections that are idle; one that waits for its limit is not."""
        self._protocol.busy = True

    def post(self, piece: bytes, *, last: bool = False) -> None:
        """Add a piece without waiting for the client. The end writes the `last` one, which comes soon."""
        if not (last or self._pieces):
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

    def end(self) -> None:
        """Write what is left and let the lane go on."""
        self._flush()
        self._protocol.busy = False
        self.heard()
        self._on_end()

    def rouse(self) -> None:
        """Have mitmproxy run the lane."""
        spawn(self._handler.server_event(Attention(self._handler.client)), name="lane")

    def restore(self) -> None:
        """Let mitmproxy read from the client again."""
        self._protocol.restore()

    def _flush(self) -> None:
        if not self._pieces:
            return
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if not self._transport.is_closing():
            self._transport.write(data)
