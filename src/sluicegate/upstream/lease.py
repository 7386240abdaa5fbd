"""A connection in the hands of one exchange.

An exchange has two halves, the request going out and the response coming in, which end in either order. The connection
goes back to the pool when both have ended well, and is closed as soon as one of them cannot.
"""

from collections.abc import Callable
from typing import Protocol

from sluicegate.core.http import RequestHead
from sluicegate.core.ports import BodyReader, OnInterim, Whole
from sluicegate.errors import BadRequest, BodyTimeout, ResponseCutShort, ResponseTimeout, SendTimeout
from sluicegate.upstream.parent import ParentProxy
from sluicegate.upstream.request import request_head
from sluicegate.upstream.response import Incoming, Response
from sluicegate.upstream.settings import UpstreamPoolSettings
from sluicegate.upstream.upload import Upload
from sluicegate.upstream.wire import Wire

_PROXY_AUTHENTICATION_REQUIRED = 407


class Home(Protocol):
    """Where a connection goes when it may be used again."""

    def checkin(self, wire: Wire) -> None:
        """Keep the connection for the next exchange, or close it."""

    def body_allowance(self) -> int:
        """Bytes of a body that may wait on one connection at the moment."""


class Lease:
    """A connection reserved for one exchange; see `ports.UpstreamConnection`."""

    __slots__ = ("_home", "_incoming", "_parent", "_released", "_settings", "_upload", "_wire", "reused")

    def __init__(self, wire: Wire, home: Home, settings: UpstreamPoolSettings, parent: ParentProxy | None) -> None:
        self.reused = wire.carried
        self._wire = wire
        self._home = home
        self._settings = settings
        self._parent = parent if wire.origin.scheme == "http" else None
        self._incoming: Incoming | None = None
        self._upload: Upload | None = None
        self._released = False

    @property
    def usable(self) -> bool:
        return self._wire.usable and not self._released and self._incoming is None

    def release(self) -> None:
        if not self._released and self._incoming is None:
            self._released = True
            self._home.checkin(self._wire)

    async def exchange(
        self,
        request: RequestHead,
        body: BodyReader | None,
        on_interim: OnInterim,
        on_sent: Callable[[], None] | None = None,
    ) -> Response:
        self._send(request, body)
        try:
            if on_sent is not None:
                on_sent()
        except BaseException:
            self.abandon()
            raise
        return await self.response(on_interim)

    def send(self, request: RequestHead, on_news: Callable[[], None]) -> None:
        incoming = self._send(request, None)
        incoming.on_news = on_news
        incoming.expect_head(self._settings.first_byte_timeout_s)

    def whole(self) -> Whole | None:
        incoming = self._incoming
        head = None if incoming is None else incoming.whole_head()
        if incoming is None or head is None or head.status == _PROXY_AUTHENTICATION_REQUIRED:
            return None
        return Whole(head, incoming.taken(), incoming.length, incoming.trailers)

    async def response(self, on_interim: OnInterim) -> Response:
        incoming = self._incoming
        if incoming is None:
            raise RuntimeError("nothing was sent on this connection")
        try:
            head = await incoming.final_head(on_interim, wait=self._patience)
            if head.status == _PROXY_AUTHENTICATION_REQUIRED and self._parent is not None:
                raise self._parent.credentials_refused()
        except BaseException:
            self.abandon()
            raise
        if self._upload is not None and not incoming.accepted:
            self._upload.stop()
        return Response(head, incoming)

    def abandon(self) -> None:
        if self._incoming is not None:
            self._incoming.on_news = None
        self._abandon(ResponseCutShort("The exchange was given up."))

    def _send(self, request: RequestHead, body: BodyReader | None) -> Incoming:
        if self._released or self._incoming is not None:
            raise RuntimeError("a leased connection carries one exchange")
        parent = self._parent
        try:
            if parent is None:
                head = request_head(request, body)
            else:
                head = request_head(request, body, extra=parent.fields, absolute=True)
        except BadRequest:
            self.release()
            raise
        wire = self._wire
        if not wire.usable:
            self.release()
            failure = ResponseCutShort("The origin closed the connection before the request was sent.")
            failure.untouched = True
            raise failure
        timeout_s = self._settings.idle_timeout_s
        incoming = Incoming(
            wire,
            request.method,
            self._response_ended,
            idle_timeout_s=timeout_s,
            allowance=self._home.body_allowance,
        )
        self._incoming = wire.receiver = incoming
        wire.holder = self
        wire.carried = True
        wire.transport.write(head)
        if body is not None:
            self._upload = Upload(wire, body, self._upload_ended, idle_timeout_s=timeout_s)
        return incoming

    # The connection's holder.

    def closed(self, error: Exception | None, *, cleanly: bool) -> None:
        if self._incoming is not None:
            self._incoming.closed(error, cleanly=cleanly)
        self._finish(reusable=False)

    def check(self, now: float) -> None:
        incoming, upload = self._incoming, self._upload
        if incoming is not None and incoming.due <= now:
            kind = ResponseTimeout if incoming.head is None else BodyTimeout
            self._abandon(kind(f"{self._wire.origin.authority} did not send {incoming.owed} in time."))
        elif upload is not None and upload.running and upload.due <= now:
            self._abandon(SendTimeout(f"{self._wire.origin.authority} stopped taking the request's body."))

    # The two halves.

    def _patience(self) -> float | None:
        """The clock of the first byte starts when the request is out."""
        sending = self._upload is not None and self._upload.running
        return None if sending else self._settings.first_byte_timeout_s

    def _response_ended(self, reusable: bool) -> None:
        upload, incoming = self._upload, self._incoming
        if reusable and upload is not None and upload.running and incoming is not None and incoming.accepted:
            return
        self._finish(reusable=reusable)

    def _upload_ended(self, failure: Exception | None) -> None:
        incoming = self._incoming
        if incoming is None:
            return
        if failure is not None:
            self._abandon(failure)
        elif incoming.complete:
            self._finish(reusable=True)
        else:
            incoming.wake()

    def _abandon(self, why: Exception) -> None:
        if self._incoming is not None:
            self._incoming.fail(why)
        self._finish(reusable=False)

    def _finish(self, *, reusable: bool) -> None:
        """Part with the connection. Only the first call counts."""
        if self._released:
            return
        self._released = True
        if self._upload is not None and not self._upload.complete:
            self._upload.stop()
            reusable = False
        self._wire.holder = self._wire.receiver = None
        if reusable:
            self._home.checkin(self._wire)
        else:
            self._wire.abort()
