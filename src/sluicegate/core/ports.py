"""Where rooms meet: what the engine needs of the world, as Protocols. Adapters keep the promises written here."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sluicegate.core.caching.decisions import Span
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.listing import Listed
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

    def whole(self) -> bytes | None:
        """All of the body, if it has come already; `body` is then at its end. None, and nothing is read, if not."""


@dataclass(slots=True)
class Whole:
    """A final response that is there whole."""

    head: ResponseHead
    content: bytes
    """Its body."""
    length: int | None
    """The body's length as the framing tells it."""
    trailers: FieldList


class UpstreamConnection(Protocol):
    """An open connection to an origin, TLS done, reserved for one exchange."""

    @property
    def reused(self) -> bool:
        """It carried an exchange before; the origin may have closed it meanwhile (RFC 9112 §9.3.1)."""

    @property
    def usable(self) -> bool:
        """False once the origin has closed it or sent bytes nobody asked for."""

    async def exchange(
        self,
        request: RequestHead,
        body: BodyReader | None,
        on_interim: OnInterim,
        on_sent: Callable[[], None] | None = None,
    ) -> UpstreamResponse:
        """Send the request and wait for the final response's head.

        The head is written before the first suspension point, so a permit taken right before this call is counted
        when it is sent; `on_sent` is called at once after that. `request.fields` are end-to-end fields; framing (Content-Length or chunked) and Connection
        are added here from `body` (`length` None means chunked). The body is sent while the response is awaited;
        the response may come before the body is through. Raises UpstreamError; `ResponseCutShort.untouched` is
        True when not one byte of a response came.
        """

    def send(self, request: RequestHead, on_news: Callable[[], None]) -> None:
        """`exchange` in two parts, for a request without a body: write it, and go on when something has come.

        `on_news` is called once, from the event loop: there is a head now (1xx or final), or there will be none. Then
        ask `whole`, and failing that `response`; or `abandon` it. Raises UpstreamError, RequestError.
        """

    def whole(self) -> Whole | None:
        """The response to what was sent, if all of it has come and needs no more thought; None if not, or it failed.

        It is given once.
        """

    async def response(self, on_interim: OnInterim) -> UpstreamResponse:
        """Wait for the response to what was sent, as `exchange` does."""

    def abandon(self) -> None:
        """Give up what was sent: the connection is closed, and `on_news` is not called any more. Idempotent."""

    def release(self) -> None:
        """Give back an unused connection; idempotent. After `exchange`, the response's body does so."""


class UpstreamPool(Protocol):
    """Connections to origins, shared by all clients."""

    async def connect(self, origin: Origin, *, fresh: bool = False) -> UpstreamConnection:
        """An open connection, idle or new (`fresh`: new in any case). Raises UpstreamError."""

    def idle(self, origin: Origin) -> UpstreamConnection | None:
        """An idle connection that is usable now, if there is one."""

    async def aclose(self) -> None:
        """Close all connections."""


class EntryWriter(Protocol):
    """A response on its way into a store. Nobody sees it before `commit`; what fails here ends the storing, nothing else."""

    async def write(self, piece: bytes) -> bool:
        """Keep a piece, in order; waits while the store is behind by more than its bound.

        False when the storing is over (too large, full, broken): what was kept is dropped. Cancelled while it waits, it
        has kept the whole piece or none of it.
        """

    async def read(self, start: int) -> bytes:
        """Some of the bytes written so far, from offset `start`; b"" where there are none yet.

        Until `aclose`, which may be long after `commit`. Raises CacheStoreError when the storing is over.
        """

    async def commit(self) -> StoredEntry | None:
        """The body is complete: make the entry visible. The entry as it is stored, None when it could not be."""

    async def aclose(self) -> None:
        """Let go; what was not committed is dropped. Idempotent, never raises."""


class CacheStore(Protocol):
    """Stored responses, by cache key. A failing store loses entries and never raises (but from a body being read)."""

    def recall(self, key: str) -> list[StoredEntry] | None:
        """The live entries under `key`, if that is known without waiting; counts as a use.

        Empty: there is certainly none. None: ask `entries`. An entry that has not changed is the same object each time.
        """

    async def entries(self, key: str) -> list[StoredEntry]:
        """The complete, live entries under `key`; none when the store fails."""

    def body_at_hand(self, entry: StoredEntry) -> bytes | None:
        """The entry's whole body, if that is in memory and current."""

    async def open_body(self, entry: StoredEntry, span: Span | None = None) -> BodyReader:
        """The entry's body, or these bytes of it.

        Delivers all of it or raises CacheStoreError; raises at once if it is gone.
        """

    def moment(self, key: str) -> int | None:
        """For `begin`, taken before the request is sent; None where the store cannot tell what is invalidated."""

    def invalidate(self, key: str) -> None:
        """Have nothing kept under `key` whose request any process on this store has sent by now; to be followed by removals.

        Waits for nothing. A process that does not hear of it in time may keep what it had under way.
        """

    def begin(self, key: str, entry: StoredEntry, length: int | None, since: int | None = None) -> EntryWriter | None:
        """Begin to store a response whose body has `length` bytes, if that is known; the id is the store's to give.

        What was invalidated after the moment `since` is not kept, or kept for no longer than it takes to write it.

        None when it cannot be stored: too large, or the store is broken.
        """

    def keep_now(self, key: str, entry: StoredEntry, body: bytes, since: int | None = None) -> bool:
        """Store a response in this call: what `begin` and its writer do, for a body that is there whole.

        False, and nothing has happened, where the body is not small or something has to be waited for: then `begin`.
        """

    async def freshen(self, entry: StoredEntry) -> None:
        """Replace the stored head of the entry of that id (RFC 9111 §4.3.4); nothing when it is gone."""

    async def remove(self, entry_id: str) -> None:
        """Remove the entry: no later `entries` or `recall` returns it, in any process that shares the store.

        Where the store fails, none of this process does, and it is tried again if the store can.
        """

    async def remove_all(self, entry_ids: Sequence[str]) -> None:
        """Remove several entries, with the promise of `remove`, for little more than one costs.

        Raises CacheStoreError where it cannot be kept for other processes.
        """

    def listed(self, prefix: str = "", *, exact: bool = False) -> AsyncIterator[Listed]:
        """All entries whose key begins with `prefix`, or is `prefix` when it is `exact`; in no order.

        Read page by page while the store goes on: what was there all the time comes once, what came or went meanwhile
        may be left out. Never blocks the event loop, and counts as no use. Raises CacheStoreError while it is read.
        """

    async def set_max_size(self, max_size: int) -> None:
        """Change the bound on what all entries and those being written may take, in bytes."""

    def stats(self) -> tuple[int, int]:
        """How many entries there are, and how many bytes they take; may be a second old."""

    async def aclose(self) -> None:
        """Finish what is being written and close what is open; nothing may be called afterwards."""


class EventSink(Protocol):
    """Who is told what happens: log and metrics."""

    def wants(self, kind: type[Event]) -> bool:
        """Whether anybody listens to events of this class; if not, they need not be made."""

    def emit(self, event: Event) -> None:
        """Take note; never raises, never blocks."""
