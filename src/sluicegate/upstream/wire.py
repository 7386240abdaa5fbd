"""One TCP or TLS connection to an origin: bytes in, bytes out, and whether it is still good."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Protocol

from sluicegate.core.http import Origin
from sluicegate.upstream.tls import ended_cleanly


class Receiver(Protocol):
    """Where bytes from the origin go."""

    def data_received(self, data: bytes) -> None:
        """The origin sent something."""


class Holder(Protocol):
    """Who uses the connection at the moment."""

    def closed(self, error: Exception | None, *, cleanly: bool) -> None:
        """The connection is gone; `cleanly` if the origin ended it on purpose, as far as can be told."""

    def check(self, now: float) -> None:
        """Give up what is overdue (`now` on the loop's clock)."""


class Shelf:
    """The connections of one origin."""

    __slots__ = ("idle", "open", "origin")

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.open = 0
        """How many there are."""
        self.idle: list[Wire] = []
        """Those without an exchange, the one used last at the end."""


class Wire(asyncio.Protocol):
    """A connection, held by one exchange at a time or by nobody. `on_lost` is called once, when it is gone."""

    shelf: Shelf

    def __init__(self, origin: Origin, on_lost: Callable[["Wire"], None]) -> None:
        self.origin = origin
        self.holder: Holder | None = None
        self.receiver: Receiver | None = None
        """Who is given the bytes; without one they cost the connection."""
        self.usable = True
        """False once the origin has closed it or sent bytes nobody asked for."""
        self.lost = False
        self.carried = False
        """It has carried an exchange."""
        self.idle_since = 0.0
        self.secured = False
        """TLS is done."""
        self.remembered = False
        """Its TLS session is kept for later connections."""
        self.transport: asyncio.Transport
        self._on_lost = on_lost
        self._ended = False
        self._writable: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream transport, as the protocol is for streams

    def data_received(self, data: bytes) -> None:
        receiver = self.receiver
        if receiver is None:
            self.abort()
        else:
            receiver.data_received(data)

    def eof_received(self) -> None:
        self.usable = False
        secured = self.ssl_object
        self._ended = secured is None or ended_cleanly(secured)

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        self.lost = True
        self.resume_writing()
        holder, self.holder = self.holder, None
        if holder is not None:
            holder.closed(exc, cleanly=self._ended and exc is None)
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        """The TLS side of it, None in the clear."""
        secured: ssl.SSLObject | None = self.transport.get_extra_info("ssl_object")
        return secured

    @property
    def congested(self) -> bool:
        """What was written piles up: wait for `drained` before writing more."""
        return self._writable is not None

    async def drained(self) -> None:
        """Wait until the origin has taken enough of what was written, or the connection is gone."""
        if self._writable is not None:
            # Shielded: one waiter's cancellation must not cancel the future of all.
            await asyncio.shield(self._writable)

    def pause_reading(self) -> None:
        """Take no more bytes from the origin for now."""
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take bytes again."""
        self.transport.resume_reading()

    def abort(self) -> None:
        """Close at once; nothing more is sent."""
        self.usable = False
        self.transport.abort()
