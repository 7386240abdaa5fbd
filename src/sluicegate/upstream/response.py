"""A response as it comes in: bytes from the wire on one side, a head and a body to read on the other (RFC 9112 §6).

llhttp parses heads and chunks. Bodies framed by Content-Length or by the end of the connection do not go through it:
pieces from the wire are handed on uncopied.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

import httptools

from sluicegate.core.http import FieldList, ResponseHead
from sluicegate.core.ports import OnInterim
from sluicegate.errors import ResponseCutShort, ResponseMalformed
from sluicegate.upstream.framing import bodyless, framing_fault, persistent, section_size

MAX_HEAD = 256 * 1024
"""Bytes of header sections before the final response's body, 1xx included."""
MIN_WAITING, MAX_WAITING = 64 * 1024, 1024 * 1024
"""Bytes of a body that may wait for their reader, whatever else is under way, and at most. One read of the loop (256 KB)
may come on top."""


_HEAD = "the head of its response"


class Wire(Protocol):
    """What an incoming response needs of its connection."""

    def pause_reading(self) -> None:
        """Take no more bytes from the origin for now."""

    def resume_reading(self) -> None:
        """Take bytes again."""


class _Phase(Enum):
    HEAD = auto()
    COUNTED = auto()
    """A body of known length."""
    CHUNKED = auto()
    UNTIL_CLOSE = auto()
    COMPLETE = auto()
    FAILED = auto()


@dataclass(slots=True)
class Response:
    """A final response whose body is still to be read; see `ports.UpstreamResponse`."""

    head: ResponseHead
    body: "Incoming"

    def whole(self) -> bytes | None:
        """The body, where it has come with the head."""
        return self.body.rest()


class Incoming:
    """One response being received. Also the `BodyReader` of its body.

    `on_end(clean)` is called once: with True when the response is complete and the connection may carry another one
    as far as the response is concerned, else with False. Nothing touches the wire after that. `on_news` is called once,
    as soon as there is a head, or there will be none. While somebody waits for the origin, `due` is when (on the loop's clock) it must have sent `owed`. The wire is paused while more bytes wait for the
    reader than `allowance()`. Used by one reader at a time.
    """

    __slots__ = (
        "_allowance",
        "_error",
        "_field_bytes",
        "_fields",
        "_idle_timeout_s",
        "_interims",
        "_keep_alive",
        "_left",
        "_method",
        "_on_end",
        "_parser",
        "_paused",
        "_phase",
        "_pieces",
        "_reason",
        "_size",
        "_surplus",
        "_touched",
        "_waiter",
        "_wire",
        "due",
        "head",
        "length",
        "on_news",
        "owed",
        "trailers",
    )

    def __init__(
        self,
        wire: Wire,
        method: str,
        on_end: Callable[[bool], None],
        *,
        idle_timeout_s: float,
        allowance: Callable[[], int] = lambda: MAX_WAITING,
    ) -> None:
        self.head: ResponseHead | None = None
        self.length: int | None = None
        self.trailers: FieldList = []
        self.due = math.inf
        self.owed = ""
        self.on_news: Callable[[], None] | None = None
        self._wire = wire
        self._method = method
        self._on_end: Callable[[bool], None] | None = on_end
        self._allowance = allowance
        self._idle_timeout_s = idle_timeout_s
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._phase = _Phase.HEAD
        self._reason = b""
        self._fields: FieldList = []
        self._field_bytes = 0
        self._keep_alive = False
        self._surplus = False
        self._touched = False
        self._left = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self._paused = False
        self._interims: list[ResponseHead] = []
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    # What the reader calls.

    async def final_head(self, on_interim: OnInterim, *, wait: Callable[[], float | None]) -> ResponseHead:
        """The final head, after telling `on_interim` of each 1xx. `wait()` is the time it may take from now on."""
        while self.head is None or self._interims:
            while self._interims:
                await on_interim(self._interims.pop(0))
            if self._error is not None and self.head is None:
                raise self._error
            if self.head is None:
                await self._wait(_HEAD, wait())
        return self.head

    def expect_head(self, within_s: float) -> None:
        """The clock of the head starts, for one who is told by `on_news`."""
        self.owed, self.due = _HEAD, asyncio.get_running_loop().time() + within_s

    async def read(self) -> bytes:
        while not self._pieces:
            if self._phase is _Phase.COMPLETE:
                return b""
            if self._error is not None:
                raise self._error
            await self._wait("the next piece of its response", self._idle_timeout_s)
        data = self.taken()
        if self._paused:
            self._paused = False
            self._wire.resume_reading()
        return data

    def whole_head(self) -> ResponseHead | None:
        """The final head, if all of the response has come and nothing before it; None if not."""
        return None if self._phase is not _Phase.COMPLETE or self._interims else self.head

    def rest(self) -> bytes | None:
        """All that is left of the body, if it has come; it is at its end then. None, and nothing is read, if not."""
        return self.taken() if self._phase is _Phase.COMPLETE else None

    def taken(self) -> bytes:
        """What has come of the body and was not read yet."""
        pieces, self._pieces = self._pieces, []
        self._size = 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def aclose(self) -> None:
        given_up = ResponseCutShort("The response was given up before its end.")
        self.fail(given_up)
        if self._pieces:
            self._phase, self._error = _Phase.FAILED, given_up
            self._pieces.clear()
            self._size = 0

    @property
    def complete(self) -> bool:
        """All of it has come from the wire, read or not."""
        return self._phase is _Phase.COMPLETE

    @property
    def accepted(self) -> bool:
        """A final head has come, and it does not refuse the request: the rest of its body is still welcome."""
        return self.head is not None and self.head.status < 400  # noqa: PLR2004 - RFC 9110 §15.5

    @property
    def buffered(self) -> int:
        """Bytes received and not yet read."""
        return self._size

    # What the connection calls.

    def data_received(self, data: bytes) -> None:
        self._touched = True
        phase = self._phase
        if phase is _Phase.COUNTED:
            self._counted(data)
        elif phase is _Phase.HEAD or phase is _Phase.CHUNKED:
            self._parse(data)
        elif phase is _Phase.UNTIL_CLOSE:
            self._append(data)
        else:
            return
        if self._phase is _Phase.COMPLETE:
            self._complete(clean=self._keep_alive and not self._surplus)
        elif self._size > MIN_WAITING and not self._paused and self._size > self._allowance():
            self._paused = True
            self._wire.pause_reading()
        self.wake()

    def closed(self, error: Exception | None, *, cleanly: bool) -> None:
        """The connection is gone. `cleanly`: the origin ended it on purpose, as far as can be told."""
        if self._phase is _Phase.UNTIL_CLOSE and cleanly:
            self._phase = _Phase.COMPLETE
            self._complete(clean=False)
            self.wake()
            return
        how = "closed" if error is None else "reset"
        when = "in the middle of its response" if self._touched else "before it answered"
        failure = ResponseCutShort(f"The origin {how} the connection {when}.")
        failure.untouched = not self._touched
        self.fail(failure)

    def fail(self, error: Exception) -> None:
        """End with `error`, unless it has ended already: what has come can be read, then the error is raised."""
        if self._phase in (_Phase.COMPLETE, _Phase.FAILED):
            return
        self._phase = _Phase.FAILED
        self._error = error
        self._parser = None
        self._end(clean=False)
        self.wake()

    def wake(self) -> None:
        """Make whoever waits look again."""
        waiter = self._waiter
        if waiter is not None:
            if not waiter.done():
                waiter.set_result(None)
        elif self.on_news is not None and (self.head is not None or self._interims or self._error is not None):
            on_news, self.on_news, self.due = self.on_news, None, math.inf
            on_news()

    # What llhttp calls.

    def on_message_begin(self) -> None:
        self._surplus = self._phase is _Phase.COMPLETE

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        if self._phase is not _Phase.HEAD or self._parser is None:
            return  # llhttp goes on to whatever follows the response; none of it may count
        status = self._parser.get_status_code()
        head = ResponseHead(status, self._reason, self._fields)
        self._reason = b""
        self._fields = []
        if 100 <= status < 200 and status != 101:  # noqa: PLR2004 - RFC 9110 §15.2 says it best
            self._interims.append(head)
        else:
            self._begin_body(head, self._parser)

    def on_body(self, data: bytes) -> None:
        if self._phase in (_Phase.COMPLETE, _Phase.FAILED):
            self._surplus = True
            return
        self._left -= len(data)
        self._append(data)

    def on_message_complete(self) -> None:
        if self._phase in (_Phase.COUNTED, _Phase.CHUNKED):
            self.trailers += self._fields
            self._phase = _Phase.COMPLETE

    # Inside.

    async def _wait(self, what: str, timeout_s: float | None) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        if timeout_s is not None:
            self.owed, self.due = what, self._waiter.get_loop().time() + timeout_s
        try:
            await self._waiter
        finally:
            self._waiter = None
            self.due = math.inf

    def _complete(self, *, clean: bool) -> None:
        self._parser = None
        if self._paused:
            self._paused = False
            self._wire.resume_reading()
        self._end(clean=clean)

    def _end(self, *, clean: bool) -> None:
        """Tell whoever holds the connection, once. He knows us, too: to forget him breaks the circle."""
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(clean)

    def _parse(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            return
        size = self._size
        self._field_bytes += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self._phase is _Phase.COMPLETE:
                self._surplus = True
            else:
                self.fail(ResponseMalformed(f"The origin's answer is no valid HTTP/1.1: {error}."))
            return
        if self._size > size:
            self._field_bytes = 0
        elif self._field_bytes > MAX_HEAD:
            # Headers, trailers or chunk extensions without end.
            self.fail(_too_large())

    def _begin_body(self, head: ResponseHead, parser: httptools.HttpResponseParser) -> None:
        version, index = parser.get_http_version(), head.index()
        codings = index.get(b"transfer-encoding")
        if fault := framing_fault(head.status, version, codings):
            self.fail(ResponseMalformed(f"The origin's answer cannot be used: {fault}."))
            return
        if self._field_bytes > MAX_HEAD and section_size(head.fields) > MAX_HEAD:
            self.fail(_too_large())
            return
        self.head = head
        self._field_bytes = 0
        self._keep_alive = parser.should_keep_alive()
        if bodyless(self._method, head.status):
            # llhttp does not know the request's method: it would take a HEAD's answer to end with the connection.
            self._keep_alive = persistent(head, version)
            self.length = 0
            self._phase = _Phase.COMPLETE
        elif lengths := index.get(b"content-length"):
            self.length = self._left = int(lengths[0])  # llhttp refuses a second
            self._phase = _Phase.COUNTED
        elif codings:
            self._phase = _Phase.CHUNKED
        else:
            self._phase = _Phase.UNTIL_CLOSE

    def _counted(self, data: bytes) -> None:
        if len(data) > self._left:
            data = data[: self._left]
            self._surplus = True
        self._left -= len(data)
        self._append(data)
        if self._left == 0:
            self._phase = _Phase.COMPLETE

    def _append(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)


def _too_large() -> ResponseMalformed:
    return ResponseMalformed(f"The origin's header section is larger than {MAX_HEAD // 1024} KiB.")
