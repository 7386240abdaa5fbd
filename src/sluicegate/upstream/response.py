"""A response as it comes in: bytes from the wire on one side, a head and a body to read on the other (RFC 9112 §6).

llhttp parses heads and chunks. Bodies framed by Content-Length or by the end of the connection do not go through it:
pieces from the wire are handed on uncopied.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

import httptools

from sluicegate.core.http import Field, FieldList, ResponseHead, connection_options
from sluicegate.core.ports import BodyReader, OnInterim
from sluicegate.errors import ResponseCutShort, ResponseMalformed, SluicegateError

MAX_HEAD = 256 * 1024
"""Bytes of header sections before the final response's body, 1xx included."""
HIGH_WATER = 256 * 1024
"""Bytes of a body that wait for their reader before the wire is paused."""


class Wire(Protocol):
    """What an incoming response needs of its connection."""

    def pause_reading(self) -> None:
        """Take no more bytes from the origin for now."""

    def resume_reading(self) -> None:
        """Take bytes again."""

    def expect(self, what: str, timeout_s: float | None) -> None:
        """From now on the origin owes `what`, for at most `timeout_s`; None: it owes nothing."""


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
    body: BodyReader


class Incoming:
    """One response being received. Also the `BodyReader` of its body.

    `on_end(clean)` is called once: with True when the response is complete and the connection may carry another one
    as far as the response is concerned, else with False. Used by one reader at a time.
    """

    __slots__ = (
        "_error",
        "_fields",
        "_head_bytes",
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
        "head",
        "length",
        "trailers",
    )

    def __init__(self, wire: Wire, method: str, on_end: Callable[[bool], None], *, idle_timeout_s: float) -> None:
        self.head: ResponseHead | None = None
        self.length: int | None = None
        self.trailers: FieldList = []
        self._wire = wire
        self._method = method
        self._on_end = on_end
        self._idle_timeout_s = idle_timeout_s
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._phase = _Phase.HEAD
        self._reason = b""
        self._fields: FieldList = []
        self._head_bytes = 0
        self._keep_alive = False
        self._surplus = False
        self._touched = False
        self._left = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self._paused = False
        self._interims: list[ResponseHead] = []
        self._waiter: asyncio.Future[None] | None = None
        self._error: SluicegateError | None = None

    # What the reader calls.

    async def final_head(self, on_interim: OnInterim, *, wait: Callable[[], float | None]) -> ResponseHead:
        """The final head, after telling `on_interim` of each 1xx. `wait()` is the time it may take from now on."""
        while True:
            while self._interims:
                await on_interim(self._interims.pop(0))
            if self.head is not None:
                return self.head
            if self._error is not None:
                raise self._error
            await self._wait("the head of its response", wait())

    async def read(self) -> bytes:
        while not self._pieces:
            if self._phase is _Phase.COMPLETE:
                return b""
            if self._error is not None:
                raise self._error
            await self._wait("the next piece of its response", self._idle_timeout_s)
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            self._wire.resume_reading()
        return data

    async def aclose(self) -> None:
        self.fail(ResponseCutShort("The response was given up before its end."))
        self._pieces.clear()
        self._size = 0

    @property
    def buffered(self) -> int:
        """Bytes received and not yet read."""
        return self._size

    # What the connection calls.

    def data_received(self, data: bytes) -> None:
        self._touched = True
        match self._phase:
            case _Phase.COUNTED:
                self._counted(data)
            case _Phase.UNTIL_CLOSE:
                self._append(data)
            case _Phase.HEAD | _Phase.CHUNKED:
                self._parse(data)
            case _Phase.COMPLETE | _Phase.FAILED:
                self._surplus = True
        if self._phase is _Phase.COMPLETE:
            self._parser = None
            self._on_end(self._keep_alive and not self._surplus)
        elif self._size > HIGH_WATER and not self._paused:
            self._paused = True
            self._wire.pause_reading()
        self.wake()

    def closed(self, error: Exception | None, *, cleanly: bool) -> None:
        """The connection is gone. `cleanly`: the origin ended it on purpose, as far as can be told."""
        if self._phase is _Phase.UNTIL_CLOSE and cleanly:
            self._phase = _Phase.COMPLETE
            self._on_end(False)
            self.wake()
            return
        how = "closed" if error is None else "reset"
        when = "in the middle of its response" if self._touched else "before it answered"
        failure = ResponseCutShort(f"The origin {how} the connection {when}.")
        failure.untouched = not self._touched
        self.fail(failure)

    def fail(self, error: SluicegateError) -> None:
        """End with `error`, unless it has ended already: what has come can be read, then the error is raised."""
        if self._phase in (_Phase.COMPLETE, _Phase.FAILED):
            return
        self._phase = _Phase.FAILED
        self._error = error
        self._parser = None
        self._on_end(False)
        self.wake()

    def wake(self) -> None:
        """Make whoever waits look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What llhttp calls.

    def on_message_begin(self) -> None:
        self._surplus = self._phase is _Phase.COMPLETE

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        if self._parser is None:
            return
        status = self._parser.get_status_code()
        head = ResponseHead(status, self._reason, self._fields)
        self._reason = b""
        self._fields = []
        if 100 <= status < 200 and status != 101:  # noqa: PLR2004 - RFC 9110 §15.2 says it best
            self._interims.append(head)
        else:
            self._begin_body(head, self._parser)

    def on_body(self, data: bytes) -> None:
        if self._phase is _Phase.COMPLETE:
            self._surplus = True
            return
        self._left -= len(data)
        self._append(data)

    def on_message_complete(self) -> None:
        if self.head is not None and self._phase is not _Phase.FAILED:
            self.trailers += self._fields
            self._phase = _Phase.COMPLETE

    # Inside.

    async def _wait(self, what: str, timeout_s: float | None) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        self._wire.expect(what, timeout_s)
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._wire.expect("", None)

    def _parse(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            return
        in_head = self.head is None
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self._phase is _Phase.COMPLETE:
                self._surplus = True
            else:
                self.fail(ResponseMalformed(f"The origin's answer is no valid HTTP/1.1: {error}."))
            return
        if in_head:
            self._bound_head(len(data))

    def _bound_head(self, size: int) -> None:
        """Count what the header sections have cost so far; exact only when it matters."""
        self._head_bytes += size
        if self._head_bytes <= MAX_HEAD:
            return
        if self.head is None or sum(len(name) + len(value) + 4 for name, value in self.head.fields) > MAX_HEAD:
            self.fail(ResponseMalformed(f"The origin's header section is larger than {MAX_HEAD // 1024} KiB."))

    def _begin_body(self, head: ResponseHead, parser: httptools.HttpResponseParser) -> None:
        version = parser.get_http_version()
        if fault := _fault(head, version):
            self.fail(ResponseMalformed(f"The origin's answer cannot be used: {fault}."))
            return
        self.head = head
        self._keep_alive = parser.should_keep_alive()
        if _bodyless(self._method, head.status):
            # llhttp does not know the request's method: it would take a HEAD's answer to end with the connection.
            self._keep_alive = _persistent(head, version)
            self.length = 0
            self._phase = _Phase.COMPLETE
        elif (length := _field(head.fields, b"content-length")) is not None:
            self.length = self._left = int(length)
            self._phase = _Phase.COUNTED
        elif _field(head.fields, b"transfer-encoding") is not None:
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


def _field(fields: FieldList, name: bytes) -> bytes | None:
    """The first line of a field; llhttp has refused repeated Content-Length already."""
    return next((value for key, value in fields if len(key) == len(name) and key.lower() == name), None)


def _fault(head: ResponseHead, version: str) -> str:
    if head.status == 101:  # noqa: PLR2004 - RFC 9110 §15.2.2
        return "it switches protocols without having been asked (101)"
    if head.status < 100:  # noqa: PLR2004 - RFC 9110 §15
        return f"its status is {head.status}"
    if version not in ("1.1", "1.0"):
        return f"its version is HTTP/{version}"
    codings: list[Field] = [item for item in head.fields if item[0].lower() == b"transfer-encoding"]
    if codings and (len(codings) > 1 or codings[0][1].lower() != b"chunked"):
        return "it has a transfer coding that was not asked for"
    return ""


def _bodyless(method: str, status: int) -> bool:
    """RFC 9112 §6.3, 1 and 2."""
    return method == "HEAD" or status in (204, 304) or (method == "CONNECT" and 200 <= status < 300)  # noqa: PLR2004


def _persistent(head: ResponseHead, version: str) -> bool:
    """RFC 9112 §9.3."""
    options = connection_options(head.fields)
    return b"close" not in options and (version == "1.1" or b"keep-alive" in options)
