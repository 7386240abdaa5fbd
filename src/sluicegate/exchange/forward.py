"""The way out: queue, slots, connection, permit, and only then the request (design: a permit is counted when sent)."""

from dataclasses import dataclass
from email.utils import formatdate
from functools import partial

from sluicegate.clock import Clock
from sluicegate.core.events import UpstreamAnswered, UpstreamFailed
from sluicegate.core.http import RequestHead, ResponseHead
from sluicegate.core.loops import via_line
from sluicegate.core.ports import (
    BodyReader,
    EventSink,
    OnInterim,
    UpstreamConnection,
    UpstreamPool,
    UpstreamResponse,
)
from sluicegate.errors import ResponseCutShort, UpstreamError
from sluicegate.exchange.bodies import BytesBody, ReleasingBody
from sluicegate.exchange.call import Call, Identity
from sluicegate.gate.gate import Ask, Gate, Turn

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PROPFIND", "SEARCH", "REPORT"})
"""Methods that may be sent again when a reused connection died under them (RFC 9110 §9.2.2)."""


@dataclass(slots=True)
class Received:
    """An origin's response, its head cleaned of what concerned that connection only."""

    head: ResponseHead
    body: BodyReader
    request_time: float
    """When the request was sent (Unix seconds)."""
    response_time: float
    """When the head came (Unix seconds)."""


class Forwarder:
    """Sends requests to origins, each with a permit of its own."""

    def __init__(self, *, gate: Gate, pool: UpstreamPool, clock: Clock, events: EventSink, identity: Identity) -> None:
        self._gate = gate
        self._pool = pool
        self._clock = clock
        self._events = events
        self._through = [via_line(identity.pseudonym)]

    async def send(self, call: Call, request: RequestHead, on_interim: OnInterim) -> Received:
        """Send `request` (end-to-end fields) for `call`, wait for the response's head.

        Raises LimitError, UpstreamError, RequestError or ClientGone; then nothing is held any more. The slots taken
        are given back when the response's body ends or is closed.
        """
        turn = await self._gate.enter(Ask(call.request_id, request.origin.host, call.user or call.client))
        try:
            call.limit_key = turn.key
            outgoing = request.with_fields([*request.fields, *self._through])
            response, request_time = await self._exchange(call, outgoing, turn, on_interim)
        except UpstreamError as error:
            turn.leave()
            self._events.emit(UpstreamFailed(call.request_id, request.origin.host, error.proxy_error, str(error)))
            raise
        except BaseException:
            turn.leave()
            raise
        finally:
            call.wait_s += turn.waited_s
        now = self._clock.wall()
        return Received(self._cleaned(response.head, now), _body(response, turn), request_time, now)

    async def _exchange(
        self, call: Call, request: RequestHead, turn: Turn, on_interim: OnInterim
    ) -> tuple[UpstreamResponse, float]:
        connection = await self._permitted(request, turn, fresh=False)
        while True:
            sent, request_time = self._clock.now(), self._clock.wall()
            try:
                response = await connection.exchange(request, call.body, on_interim, turn.sent)
            except ResponseCutShort as error:
                if not (error.untouched and connection.reused and _repeatable(call, request)):
                    raise
                connection = await self._permitted(request, turn, fresh=True)
                continue
            took_s = self._clock.now() - sent
            status, host = response.head.status, request.origin.host
            self._events.emit(UpstreamAnswered(call.request_id, host, status, took_s, connection.reused))
            return response, request_time

    async def _permitted(self, request: RequestHead, turn: Turn, *, fresh: bool) -> UpstreamConnection:
        """A connection and the permit to use it at once: after this returns, nothing may be awaited before the write.

        An origin may close a connection that waits for its permit; then another is opened before one is spent.
        """
        while True:
            connection = await self._pool.connect(request.origin, fresh=fresh)
            try:
                if await turn.permit(unless=partial(_died, connection)):
                    return connection
            except BaseException:
                connection.release()
                raise
            connection.release()

    def _cleaned(self, head: ResponseHead, now: float) -> ResponseHead:
        cleaned = head.end_to_end(add=self._through)
        if cleaned.get_all(b"date"):
            return cleaned
        return cleaned.end_to_end(add=[(b"Date", formatdate(now, usegmt=True).encode())])


def _body(response: UpstreamResponse, turn: Turn) -> BodyReader:
    """The body, which holds the turn; one that has come already has nothing to hold it for."""
    whole = response.whole()
    if whole is None:
        return ReleasingBody(response.body, turn.leave)
    turn.leave()
    return BytesBody(whole, length=response.body.length, trailers=response.body.trailers)


def _died(connection: UpstreamConnection) -> bool:
    return not connection.usable


def _repeatable(call: Call, request: RequestHead) -> bool:
    return request.method in IDEMPOTENT and call.body is None
