"""Where rooms meet: what the engine needs of the world, as Protocols. Adapters keep the promises written here."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.events import Event
from sluicegate.core.http import FieldList, Origin, RequestHead, ResponseHead

type OnInterim = Callable[[ResponseHead], Awaitable[None]]
"""Told of each 1xx response, before the final one."""


class BodyReader(Protocol):
    """A body, read once, piece by piece, at the reader's pace."""

    @property
    def length(self) -> int | None:
        """Its length in bytes when the framing tells, else None."""

    @property
    def trailers(self) -> FieldList:
        """Complete once `read` has returned the end."""

    async def read(self) -> bytes:
        """The next piece, b"" at the end and ever after.

        Never ends early: a body that was cut short raises (ResponseCutShort, ResponseTimeout, ClientGone,
        CacheStoreError), so that whoever copies it cannot mistake a part for the whole.
        """

    async def aclose(self) -> None:
        """Give it up, read or not; idempotent, never raises. What produced it is released."""


class UpstreamResponse(Protocol):
    """A final response whose body is still to be read."""

    @property
    def head(self) -> ResponseHead:
        """Status, reason and fields as they were on the wire."""

    @property
    def body(self) -> BodyReader:
        """The rest."""


class UpstreamConnection(Protocol):
    """An open connection to an origin, TLS done, reserved for one exchange."""

    @property
    def reused(self) -> bool:
        """It carried an exchange before; the origin may have closed it meanwhile (RFC 9112 §9.3.1)."""

    @property
    def usable(self) -> bool:
        """False once the origin has closed it or sent bytes nobody asked for."""

    async def exchange(self, request: RequestHead, body: BodyReader | None, on_interim: OnInterim) -> UpstreamResponse:
        """Send the request and wait for the final response's head.

        The head is written before the first suspension point, so a permit taken right before this call is counted
        when it is sent. `request.fields` are end-to-end fields; framing (Content-Length or chunked) and Connection
        are added here from `body` (`length` None means chunked). The body is sent while the response is awaited;
        the response may come before the body is through. Raises UpstreamError; `ResponseCutShort.untouched` is
        True when not one byte of a response came.
        """

    def release(self) -> None:
        """Give back an unused connection; idempotent. After `exchange`, the response's body does so."""


class UpstreamPool(Protocol):
    """Connections to origins, shared by all clients."""

    async def connect(self, origin: Origin, *, fresh: bool = False) -> UpstreamConnection:
        """An open connection, idle or new (`fresh`: new in any case). Raises UpstreamError."""

    async def aclose(self) -> None:
        """Close all connections."""


class CacheStore(Protocol):
    """Stored responses, by cache key. A failing store loses entries and never raises (but from a body being read)."""

    async def entries(self, key: str) -> list[StoredEntry]:
        """The complete, live entries under `key`; none when the store fails."""

    async def open_body(self, entry: StoredEntry) -> BodyReader:
        """The entry's body. Delivers all of it or raises CacheStoreError; raises at once if it is gone."""

    async def store(self, key: str, entry: StoredEntry, body: BodyReader) -> BodyReader:
        """A reader that passes `body` through and stores it on the way.

        The entry becomes visible when the body has been read to its end, and never otherwise. A failure to store
        ends the storing and not the reading. Returns `body` itself when nothing can be stored.
        """

    async def freshen(self, entry: StoredEntry) -> None:
        """Replace the stored head of the entry of that id (RFC 9111 §4.3.4); nothing when it is gone."""

    async def remove(self, entry_id: str) -> None:
        """Remove the entry: no later `entries` returns it."""

    async def aclose(self) -> None:
        """Close what is open; nothing may be called afterwards."""


class EventSink(Protocol):
    """Who is told what happens: log and metrics."""

    def emit(self, event: Event) -> None:
        """Take note; never raises, never blocks."""
