"""The way out: queue, slots, connection, permit, and only then the request (design: a permit is counted when sent)."""

from collections.abc import Callable
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
from sluicegate.exchange.sent import Received, Sent
from sluicegate.gate.gate import Ask, Gate, Turn

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PROPFIND", "SEARCH", "REPORT"})
"""Methods that may be sent again when a reused connection died under them (RFC 9110 §9.2.2)."""


class Forwarder:
    """Sends requests to origins, each with a permit of its own."""

    def __init__(self, *, gate: Gate, pool: UpstreamPool, clock: Clock, events: EventSink, identity: Identity) -> None:
        self._gate = gate
        self._pool = pool
        self._clock = clock
        self._events = events
        self._through = [via_line(identity.pseudonym)]

    async def foresee(self, request: RequestHead) -> float:
        """How long `request` would wait at the limiter if it were sent now (seconds)."""
        return await self._gate.foresee(request.origin.host)

    async def send(self, call: Call, request: RequestHead, on_interim: OnInterim) -> Received:
        """Send `request` (end-to-end fields) for `call`, wait for the response's head.

        Raises LimitError, UpstreamError, RequestError or ClientGone; then nothing is held any more. The slots taken
        are given back when the response's body ends or is closed. What `send_now` has sent is not sent again.
        """
        sent, call.sent = call.sent, None
        if sent is not None and sent.received is not None:
            return sent.received
        turn = await self._gate.enter(_ask(call, request)) if sent is None else sent.turn
        try:
            call.limit_key = turn.key
            outgoing = request.with_fields([*request.fields, *self._through])
            response, request_time = await self._exchange(call, outgoing, turn, on_interim, sent)
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

    def send_now(self, call: Call, request: RequestHead, on_news: Callable[[], None]) -> Sent | None:
        """Send `request` in this very call, if there is room for it, a connection is idle and its permit is to be had.

        None, and nothing is held or spent, if not: then `send` it. `on_news` is called once, when something has come of
        what was sent: then ask `received_now`, and failing that `send`, with it as `call.sent`, which goes on from
        there; or abandon it. Raises RequestError; then nothing is held any more.
        """
        turn = self._gate.enter_now(_ask(call, request))
        if turn is None:
            return None
        connection = self._pool.idle(request.origin)
        if connection is None:
            turn.leave()
            return None
        sent = Sent(turn, connection, turn.entered, self._clock.wall())
        try:
            outgoing = request.with_fields([*request.fields, *self._through])
            if turn.permit_now():
                connection.send(outgoing, on_news)
                turn.sent()
                call.limit_key = turn.key
                return sent
        except BaseException:
            sent.abandon()
            raise
        connection.release()
        turn.leave()
        return None

    def received_now(self, call: Call, sent: Sent) -> Received | None:
        """The response to what `send_now` has sent, if it is there whole; None if not, or if something went wrong."""
        response = sent.connection.whole()
        if response is None:
            return None
        self._tell_answered(call, response.head.status, sent.at, sent.connection)
        now = self._clock.wall()
        body = BytesBody(response.content, length=response.length, trailers=response.trailers)
        received = sent.received = Received(self._cleaned(response.head, now), body, sent.request_time, now)
        sent.turn.leave()
        return received

    async def _exchange(
        self, call: Call, request: RequestHead, turn: Turn, on_interim: OnInterim, begun: Sent | None
    ) -> tuple[UpstreamResponse, float]:
        connection = await self._permitted(request, turn, fresh=False) if begun is None else begun.connection
        while True:
            try:
                if begun is None:
                    sent, request_time = self._clock.now(), self._clock.wall()
                    response = await connection.exchange(request, call.body, on_interim, turn.sent)
                else:
                    sent, request_time = begun.at, begun.request_time
                    response = await connection.response(on_interim)
            except ResponseCutShort as error:
                if not (error.untouched and connection.reused and _repeatable(call, request)):
                    raise
                begun = None
                connection = await self._permitted(request, turn, fresh=True)
                continue
            self._tell_answered(call, response.head.status, sent, connection)
            return response, request_time

    def _tell_answered(self, call: Call, status: int, sent: float, connection: UpstreamConnection) -> None:
        took_s = self._clock.now() - sent
        host = call.request.origin.host
        self._events.emit(UpstreamAnswered(call.request_id, host, status, took_s, connection.reused))

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
        if b"date" in cleaned.index():
            return cleaned
        return cleaned.end_to_end(add=[(b"Date", formatdate(now, usegmt=True).encode())])


def _body(response: UpstreamResponse, turn: Turn) -> BodyReader:
    """The body, which holds the turn; one that has come already has nothing to hold it for."""
    whole = response.whole()
    if whole is None:
        return ReleasingBody(response.body, turn.leave)
    turn.leave()
    return BytesBody(whole, length=response.body.length, trailers=response.body.trailers)


def _ask(call: Call, request: RequestHead) -> Ask:
    return Ask(call.request_id, request.origin.host, call.user or call.client, call.pace)


def _died(connection: UpstreamConnection) -> bool:
    return not connection.usable


def _repeatable(call: Call, request: RequestHead) -> bool:
    return request.method in IDEMPOTENT and call.body is None
