"""One request's way through the engine, given back to the lane piece by piece."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from sluicegate.clock import Clock
from sluicegate.core.events import Access
from sluicegate.core.http import ResponseHead
from sluicegate.core.ports import EventSink
from sluicegate.errors import ClientGone, ExchangeError
from sluicegate.exchange.bodies import BytesBody
from sluicegate.exchange.call import Answer, Call
from sluicegate.exchange.engine import Engine
from sluicegate.exchange.misses import Begun
from sluicegate.proxy import wire
from sluicegate.proxy.outbox import Sink
from sluicegate.proxy.reader import Incoming

_logger = logging.getLogger(__name__)

AT_ONCE = 64 * 1024
"""Bytes of a body that go out with their head, whether the client takes them already or not."""


class Conversation:
    """Runs the engine for one request and puts what the client is to be sent into `sink`.

    The engine works in a task of its own, little ahead of the client: a slow client slows the origin.
    """

    def __init__(
        self,
        engine: Engine,
        call: Call,
        incoming: Incoming,
        sink: Sink,
        *,
        clock: Clock,
        events: EventSink,
        on_end: Callable[["Conversation"], None],
    ) -> None:
        self.close_after = not incoming.keep_alive
        """Whether the connection ends with this response; settled once the sink has ended."""
        self._engine = engine
        self._call = call
        self._incoming = incoming
        self._clock = clock
        self._events = events
        self._on_end = on_end
        self._sink = sink
        self._begun: Begun | None = None
        self._task: asyncio.Task[None] | None = None
        self._gone = False
        self._ending = False
        self._status = 0
        self._sent = 0
        if incoming.expects_continue and incoming.body is not None:
            incoming.body.on_first_read = lambda: self._sink.post(wire.CONTINUE)

    def start(self) -> None:
        """Ask the engine: in this call, where nothing has to be waited for, or else in a task."""
        self._begun = self._engine.begin(self._call, self._came)
        if self._begun is None:
            self._begin(self._run())

    def refuse(self, error: ExchangeError) -> None:
        """Answer with `error` and end the connection; the engine is not asked."""
        self.close_after = True
        self._begin(self._send(self._engine.refuse(self._call, error)))

    def _begin(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """A task, without what `tasks.spawn` adds: whoever began this conversation keeps it until `on_end`."""
        self._task = asyncio.get_running_loop().create_task(coroutine)

    def abandon(self) -> None:
        """The client has gone: give up whatever is being waited for."""
        if self._incoming.body is not None:
            self._incoming.body.abort()
        self._gone = True
        # Not at once: a task that is cancelled before its first step never gets to `_finish`.
        asyncio.get_running_loop().call_soon(self._interrupt)

    def _interrupt(self) -> None:
        """Give up, unless it has come to its end by itself and what it holds is being given back."""
        if self._ending:
            return
        if self._task is not None:
            self._task.cancel()
        elif self._begun is not None:
            self._begun.abandon()
            self._finish("client_gone")

    def _came(self, answer: Answer | None) -> None:
        """What was begun has been answered, or (None) goes on in a task. If the client has gone, `_interrupt` comes next."""
        if self._gone:
            return
        if answer is None:
            self._begin(self._run())
        elif isinstance(answer.body, BytesBody) and len(answer.body.content) <= AT_ONCE:
            self._send_now(answer, answer.body)
        else:
            self._begin(self._send(answer))

    async def _run(self) -> None:
        try:
            answer = await self._engine.handle(self._call, self._pass_on_interim, self._begun)
        except (ClientGone, asyncio.CancelledError):
            self._finish("client_gone")
        else:
            await self._send(answer)

    async def _send(self, answer: Answer) -> None:
        error = ""
        try:
            await self._write(answer)
        except (ClientGone, asyncio.CancelledError):
            error = "client_gone"
        except ExchangeError as failure:
            error = failure.proxy_error
        except Exception:
            error = "proxy_internal_error"
            _logger.exception("exchange %s failed while its body was sent", self._call.request_id)
        finally:
            self._ending = True
            try:
                await answer.body.aclose()
            finally:
                self._finish(error)

    def _send_now(self, answer: Answer, body: BytesBody) -> None:
        error = ""
        self._ending = True
        try:
            self._write_whole(self._framing(answer), answer.head, body)
        except Exception:
            error = "proxy_internal_error"
            _logger.exception("exchange %s failed while its body was sent", self._call.request_id)
        self._finish(error)

    async def _write(self, answer: Answer) -> None:
        framing, body = self._framing(answer), answer.body
        if framing.bodyless or (isinstance(body, BytesBody) and len(body.content) <= AT_ONCE):
            self._write_whole(framing, answer.head, body if isinstance(body, BytesBody) else BytesBody())
            return
        self._sink.post(framing.head(answer.head))
        while data := await body.read():
            self._sent += len(data)
            if self._sent == body.length:
                # Reaching the end is what stores it. A client that has the last byte may leave, or ask for it again.
                await body.read()
            await self._sink.put(framing.piece(data))
        self._sink.post(framing.end(body.trailers), last=True)

    def _write_whole(self, framing: wire.Framing, head: ResponseHead, body: BytesBody) -> None:
        content = body.content
        self._sent = 0 if framing.bodyless else len(content)
        self._sink.post(framing.whole(head, content, body.trailers), last=True)

    def _framing(self, answer: Answer) -> wire.Framing:
        framing = wire.Framing(
            answer,
            method=self._call.request.method,
            http_10=self._incoming.http_10,
            keep_alive=not self.close_after,
        )
        self.close_after = framing.close
        self._status = answer.head.status
        return framing

    async def _pass_on_interim(self, head: ResponseHead) -> None:
        """Pass a 1xx on: not to HTTP/1.0 (RFC 9110 §15.2), and no 100, which is ours to say."""
        if not self._incoming.http_10 and head.status != wire.CONTINUE_STATUS:
            await self._sink.put(wire.interim(head))

    def _finish(self, error: str) -> None:
        """Write the access line and let the lane go on. After an error only a cut connection tells the client."""
        call = self._call
        self.close_after = self.close_after or bool(error) or not self._incoming.complete
        call.error = error or call.error
        self._events.emit(access_line(call, self._status, self._sent, self._clock.now()))
        self._on_end(self)
        self._sink.end()


def access_line(call: Call, status: int, bytes_sent: int, now: float) -> Access:
    """What the log and the metrics are told at the end of an exchange."""
    request = call.request
    return Access(
        call.request_id,
        call.client,
        request.method,
        request.url,
        request.origin.host,
        status,
        bytes_sent,
        now - call.started,
        call.wait_s,
        call.cache,
        call.limit_key,
        call.error,
        call.user,
        call.reason,
        call.stored,
    )
