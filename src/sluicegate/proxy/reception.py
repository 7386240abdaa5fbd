"""What the lane asks for: conversations with the engine, and the client's socket."""

import asyncio
from collections.abc import Callable

from mitmproxy.proxy.context import Context

from sluicegate.errors import ExchangeError
from sluicegate.exchange.call import Call
from sluicegate.exchange.hits import Ready
from sluicegate.proxy.client_stream import Receiver
from sluicegate.proxy.conversation import Conversation
from sluicegate.proxy.direct import Direct
from sluicegate.proxy.hub import Hub, address_of, handler_of, stream_of, user_of, writer_of
from sluicegate.proxy.lane import placeholder
from sluicegate.proxy.outbox import Sink
from sluicegate.proxy.reader import Incoming


class Reception:
    """The lane's `Host`: begins conversations, and knows how many are under way."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._active: set[Conversation] = set()
        self._idle: asyncio.Event | None = None
        """There while somebody waits for it."""

    @property
    def header_limit(self) -> int:
        return self._hub.services.header_limit

    @property
    def draining(self) -> bool:
        return self._hub.draining

    @property
    def active(self) -> int:
        """Requests under way."""
        return len(self._active)

    async def until_idle(self) -> None:
        """Return once no request is under way."""
        while self._active:
            if self._idle is None:
                self._idle = asyncio.Event()
            await self._idle.wait()

    def at_once(self, context: Context, incoming: Incoming) -> bytes | None:
        """A fresh response from memory, with its access line; who may ask is checked as in `converse`."""
        services = self._hub.services
        if not incoming.immediate or self._hub.draining:
            return None
        began = incoming.looked_at = self._hub.clock.now()
        ready = services.hits.answer(incoming.head, self._hub.clock.wall(), conditional=incoming.conditional)
        if not isinstance(ready, Ready):
            incoming.nothing = ready
            return None
        client = address_of(context.client)
        if context.server.address is not None:
            user = user_of(context.client)
        else:
            try:
                user = services.engine.access.admit(client, incoming.head.fields)
            except ExchangeError:
                return None
        self._hub.tell_hit(incoming.head, client, user, ready, began)
        return ready.data

    def converse(self, context: Context, incoming: Incoming, sink: Sink) -> Conversation:
        """A conversation with the engine for a request; who may ask is checked here, inside tunnels at CONNECT."""
        call = self._hub.call(context.client, incoming.head, incoming.looked_at)
        call.nothing = incoming.nothing
        call.body = incoming.body
        call.may_use_cache = incoming.host_matches
        call.plain = incoming.immediate and not incoming.conditional
        conversation = self._begin(call, incoming, sink)
        try:
            if context.server.address is None:
                call.user = self._hub.services.engine.access.admit(call.client, incoming.head.fields)
            else:
                call.user = user_of(context.client)
        except ExchangeError as error:
            conversation.refuse(error)
        else:
            conversation.start()
        return conversation

    def refuse(self, context: Context, error: ExchangeError, sink: Sink) -> Conversation:
        """A conversation that answers bytes which are no request."""
        head = placeholder(context)
        incoming = Incoming(head, None, keep_alive=False, http_10=False, expects_continue=False, host_matches=True)
        conversation = self._begin(self._hub.call(context.client, head), incoming, sink)
        conversation.refuse(error)
        return conversation

    def direct(self, context: Context, receiver: Receiver, on_end: Callable[[], None]) -> Direct | None:
        if context.server.address is not None or context.client.tls:
            return None
        handler = handler_of(context.client)
        writer = None if handler is None else stream_of(handler, context.client)
        return None if handler is None or writer is None else Direct.open(handler, writer, receiver, on_end)

    def transport(self, context: Context) -> asyncio.Transport | None:
        writer = writer_of(context.client)
        return None if writer is None else writer.transport  # type: ignore[return-value]  # mitmproxy's are sockets

    def left(self, context: Context) -> None:
        self._hub.patience.end(context.client)

    def _begin(self, call: Call, incoming: Incoming, sink: Sink) -> Conversation:
        conversation = Conversation(
            self._hub.services.engine,
            call,
            incoming,
            sink,
            clock=self._hub.clock,
            events=self._hub.events,
            on_end=self._ended,
        )
        self._active.add(conversation)
        return conversation

    def _ended(self, conversation: Conversation) -> None:
        self._active.discard(conversation)
        if self._idle is not None and not self._active:
            self._idle.set()
            self._idle = None
