"""The socket between the supervisor and one worker: whole messages, in order.

Both ends are the same program, one started by the other, and nobody else has the socket: so messages are pickled, which
carries a checked configuration with its secrets as it is, and metrics as the library has them.
"""

import asyncio
import contextlib
import pickle
import socket
import struct
from typing import Self

_LENGTH = struct.Struct(">I")


class Channel[Outgoing, Incoming]:
    """One end. `Outgoing` is what it says, `Incoming` what it hears."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, connected: socket.socket) -> Self:
        """A channel over one socket of a pair, which it then owns."""
        return cls(*await asyncio.open_unix_connection(sock=connected))

    def send(self, message: Outgoing) -> None:
        """Say it; lost without a word when the other process is gone, which `receive` tells."""
        if not self._writer.is_closing():
            content = pickle.dumps(message)
            self._writer.write(_LENGTH.pack(len(content)) + content)

    async def receive(self) -> Incoming | None:
        """The next message; None once the other process is gone."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            message: Incoming = pickle.loads(await self._reader.readexactly(length))  # noqa: S301 - see above
        except (asyncio.IncompleteReadError, OSError):
            return None
        return message

    async def flush(self) -> None:
        """Wait until the system has all that was sent; not at all when the other process is gone."""
        if self._writer.is_closing():
            return
        self._writer.transport.set_write_buffer_limits(high=0)
        with contextlib.suppress(OSError):
            await self._writer.drain()

    def close(self) -> None:
        """What was sent still goes out."""
        self._writer.close()
