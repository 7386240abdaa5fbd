"""The mitmproxy addon: puts the lane where HTTP/1.1 begins, and a permit before everything that goes another way.

mitmproxy logs a hook that raises and lets the flow go on, which would be past the limiter. So every hook here that
stands between a client and an origin catches whatever happens and refuses (fail closed).
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

from mitmproxy import connection, ctx, http, tls
from mitmproxy.addonmanager import Loader
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.proxy import commands, events, layer, layers
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http._upstream_proxy import HttpUpstreamProxy
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from sluicegate.clock import Clock
from sluicegate.core.http import FieldList, RequestHead, without
from sluicegate.core.interception import Interception, starts_http, starts_tls
from sluicegate.core.ports import EventSink
from sluicegate.errors import ClientGone, ExchangeError
from sluicegate.exchange.call import Call
from sluicegate.exchange.engine import Engine
from sluicegate.exchange.problems import InternalFault
from sluicegate.proxy import flows
from sluicegate.proxy.conversation import Conversation, access_line
from sluicegate.proxy.direct import Direct
from sluicegate.proxy.lane import Lane, Turn, placeholder
from sluicegate.proxy.outbox import Sink
from sluicegate.proxy.patience import Patience
from sluicegate.proxy.reader import Incoming
from sluicegate.proxy.request_ids import request_ids
from sluicegate.proxy.tls import LEFT_AFTER_HANDSHAKE, refused_certificate
from sluicegate.proxy.wayside import Wayside

_logger = logging.getLogger(__name__)

PERMITTED = "sluicegate_permitted"
"""Marks a flow whose permit has been taken."""
OPTIONS = {"connection_strategy": "lazy", "upstream_cert": False, "http2": False}
"""Lazy, and without a look at the origin's certificate: a hit must not open a connection. HTTP/1.1 towards clients."""

SPEECHLESS_S = 2.0
"""Who leaves this soon after the handshake, without a request, does not trust us; browsers keep spare connections longer."""


@dataclass(slots=True)
class Services:
    """What the addon calls; replaced as a whole when the configuration changes."""

    engine: Engine
    wayside: Wayside
    interception: Interception
    header_limit: int
    authority: Path
    """Our certificate, for the message to whoever does not trust it."""


class Closed(layer.Layer):
    """Ends a connection that may go nowhere."""

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Start):
            yield commands.CloseConnection(self.context.client)


class SluicegateAddon:
    """Connects mitmproxy's hooks with the engine. `services` may be replaced while it runs."""

    def __init__(self, services: Services, *, clock: Clock, events: EventSink) -> None:
        self.services = services
        self.draining = False
        self._clock = clock
        self._events = events
        self._next_id = request_ids()
        self._active: set[Conversation] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._patience = Patience()
        self._permitted: set[str] = set()
        self._unheard: dict[str, tuple[str, float]] = {}

    @property
    def header_limit(self) -> int:
        """Bytes that a request line and header section may have together."""
        return self.services.header_limit

    @property
    def active(self) -> int:
        """Requests under way."""
        return len(self._active)

    async def until_idle(self) -> None:
        """Return once no request is under way."""
        await self._idle.wait()

    # What the lane asks.

    def converse(self, context: Context, incoming: Incoming, sink: Sink) -> Conversation:
        """A conversation with the engine for a request; its access is checked here."""
        call = self._call(context, incoming.head)
        call.body = incoming.body
        call.may_use_cache = incoming.host_matches
        conversation = self._begin(call, incoming, sink)
        try:
            if context.server.address is None:
                call.user = self.services.engine.access.admit(call.client, incoming.head.fields)
            else:
                call.user = _user_of(context.client)
        except ExchangeError as error:
            conversation.refuse(error)
        else:
            conversation.start()
        return conversation

    def refuse(self, context: Context, error: ExchangeError, sink: Sink) -> Conversation:
        """A conversation that answers bytes which are no request."""
        head = placeholder(context)
        incoming = Incoming(head, None, keep_alive=False, http_10=False, expects_continue=False, host_matches=True)
        conversation = self._begin(self._call(context, head), incoming, sink)
        conversation.refuse(error)
        return conversation

    def direct(self, context: Context) -> Direct | None:
        """The client's socket, where the lane is the first to see its bytes."""
        if context.server.address is not None or context.client.tls:
            return None
        handler = _handler(context.client)
        writer = _writer(context.client)
        return None if handler is None or writer is None else Direct(handler, writer)

    def transport(self, context: Context) -> asyncio.Transport | None:
        """The client's transport; None once it is gone."""
        writer = _writer(context.client)
        return None if writer is None else writer.transport  # type: ignore[return-value]  # mitmproxy's are sockets

    def left(self, context: Context) -> None:
        """A client has left; what it waits for in a hook is given up."""
        self._patience.end(context.client)

    def _begin(self, call: Call, incoming: Incoming, sink: Sink) -> Conversation:
        conversation = Conversation(
            self.services.engine, call, incoming, sink, clock=self._clock, events=self._events, on_end=self._ended
        )
        self._active.add(conversation)
        self._idle.clear()
        return conversation

    def _ended(self, conversation: Conversation) -> None:
        self._active.discard(conversation)
        if not self._active:
            self._idle.set()

    def _call(self, context: Context, head: RequestHead) -> Call:
        return Call(self._next_id(), _peer(context.client), head, started=self._clock.now())

    # mitmproxy's hooks.

    def load(self, _loader: Loader) -> None:
        ctx.options.update(**OPTIONS)

    async def sluicegate_next_piece(self, turn: Turn) -> None:
        """The lane's hook: first the client's backpressure, then the engine's next piece."""
        writer = _writer(turn.context.client)
        if writer is not None:
            with contextlib.suppress(OSError):
                await writer.drain()
        turn.piece, turn.last = await turn.outbox.take()

    async def next_layer(self, nextlayer: layer.NextLayer) -> None:
        """Decide what a client's first bytes are for."""
        if nextlayer.layer is not None or nextlayer.context.client.transport_protocol != "tcp":
            return
        try:
            nextlayer.layer = await self._layer(nextlayer.context, nextlayer.data_client())
        except Exception:
            _logger.exception("a connection was closed because its protocol could not be decided")
            nextlayer.layer = Closed(nextlayer.context)

    async def _layer(self, context: Context, data: bytes) -> layer.Layer | None:
        if not data:
            return None
        self._unheard.pop(context.client.id, None)
        in_tunnel = context.server.address is not None
        if starts_tls(data):
            if not in_tunnel or context.client.tls or not self.services.interception.tunnels(_host(context)):
                return None
            return self._carried(context)
        if not in_tunnel or starts_http(data):
            return Lane(context, self)
        if context.client.id not in self._permitted:
            try:
                await self._permit(context.client, self._call(context, placeholder(context)))
            except ClientGone:
                return Closed(context)
            except ExchangeError as error:
                _logger.warning("a tunnel to %s was closed: %s", _host(context), error)
                return Closed(context)
        return self._carried(context)

    def _carried(self, context: Context) -> layer.Layer:
        parent = self.services.wayside.parent
        if parent is None:
            return layers.TCPLayer(context, ignore=True)
        context.server.via = ("http", parent.address)
        stack = HttpUpstreamProxy.make(context, send_connect=True)
        stack /= layers.TCPLayer(context, ignore=True)
        return stack[0]

    async def http_connect(self, flow: http.HTTPFlow) -> None:
        """CONNECT: who asks, where to, and for a tunnel that stays closed to us the one permit it costs."""
        call = self._flow_call(flow)
        call.request.target = ""
        try:
            wayside = self.services.wayside
            call.user = wayside.access.admit(call.client, call.request.fields)
            flow.client_conn.proxyauth_user = call.user  # type: ignore[attr-defined]  # travels with the connection
            wayside.check(call.request.origin.host, call.request.fields)
            if self.services.interception.tunnels(call.request.origin.host):
                await self._permit(flow.client_conn, call)
                self._permitted.add(flow.client_conn.id)
                call.cache = "tunnel"
                self._told(call, 200)
        except Exception as error:
            self._refuse_flow(flow, call, error)

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """A WebSocket takes its permit before mitmproxy opens it; everything else goes to the engine once it is read."""
        if not flows.is_websocket(flow):
            return
        call = self._flow_call(flow)
        call.cache = "tunnel"
        try:
            wayside = self.services.wayside
            call.user = _user_of(flow.client_conn) or wayside.access.admit(call.client, call.request.fields)
            wayside.check(call.request.origin.host, call.request.fields)
            await self._permit(flow.client_conn, call)
            flow.request.headers.fields = tuple(_websocket_fields(call.request.fields))
            if wayside.parent is not None:
                flow.server_conn.via = ("http", wayside.parent.address)
            flow.metadata[PERMITTED] = call
        except Exception as error:
            self._refuse_flow(flow, call, error)

    async def request(self, flow: http.HTTPFlow) -> None:
        """What mitmproxy has read whole, for the engine to answer."""
        if flow.response is not None or PERMITTED in flow.metadata:
            return
        call = self._flow_call(flow)
        try:
            call.user = _user_of(flow.client_conn) or self.services.engine.access.admit(
                call.client, call.request.fields
            )
            await flows.answer(self.services.engine, flow, call)
            if flow.response is not None:
                self._told(call, flow.response.status_code, len(flow.response.raw_content or b""))
        except Exception as error:
            self._refuse_flow(flow, call, error)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """The access line of a WebSocket, once its origin has answered."""
        call = flow.metadata.get(PERMITTED)
        if call is not None and flow.response is not None:
            self._told(call, flow.response.status_code)

    def http_connect_upstream(self, flow: http.HTTPFlow) -> None:
        """Our credentials for the parent proxy."""
        parent = self.services.wayside.parent
        if parent is not None and parent.authorization:
            flow.request.headers["Proxy-Authorization"] = parent.authorization

    async def server_connect(self, data: ServerConnectionHookData) -> None:
        """Connections that mitmproxy opens itself go where clients may go, and not back to us."""
        if data.server.address is None:
            return
        host, port = data.server.address[0], data.server.address[1]
        try:
            if data.server.via is None and (self.services.wayside.parent is None):
                address = await self.services.wayside.permitted_address(host, port)
                if address is not None:
                    data.server.sni = data.server.sni or (host if data.server.tls else None)
                    data.server.address = address
        except Exception as error:
            data.server.error = str(error) or type(error).__name__

    def tls_failed_client(self, data: tls.TlsData) -> None:
        """Say why intercepted TLS failed, and the cure."""
        error = data.conn.error or ""
        if error and error != "connection closed early":
            client = data.context.client
            self._tell_refusal(client, client.sni or _host(data.context), error)

    def tls_established_client(self, data: tls.TlsData) -> None:
        """From here on a client that trusts us says something."""
        client = data.context.client
        self._unheard[client.id] = (client.sni or _host(data.context), self._clock.now())

    def client_disconnected(self, client: connection.Client) -> None:
        """Some clients (those on GnuTLS) look at our certificate after the handshake only, and leave without a word."""
        self._permitted.discard(client.id)
        host, since = self._unheard.pop(client.id, ("", 0.0))
        if host and not self.draining and self._clock.now() - since < SPEECHLESS_S:
            self._tell_refusal(client, host, LEFT_AFTER_HANDSHAKE)

    def _tell_refusal(self, client: connection.Client, host: str, error: str) -> None:
        self._events.emit(refused_certificate(error, host, _peer(client), self.services.authority))

    async def _permit(self, client: connection.Client, call: Call) -> None:
        """The one permit that something carried costs. Raises LimitError, ClientGone."""
        await self._patience.wait(client, self.services.wayside.permit(call))

    def _flow_call(self, flow: http.HTTPFlow) -> Call:
        peer = flow.client_conn.peername
        return Call(self._next_id(), peer[0] if peer else "", flows.head_of(flow), started=self._clock.now())

    def _refuse_flow(self, flow: http.HTTPFlow, call: Call, error: Exception) -> None:
        if isinstance(error, ClientGone):
            flow.kill()
            call.error = "client_gone"
            self._told(call, 0)
            return
        if not isinstance(error, ExchangeError):
            _logger.error("exchange %s failed", call.request_id, exc_info=error)
            error = InternalFault("An internal fault; the log has the details.")
        flows.set_response(flow, self.services.engine.refuse(call, error), None)
        self._told(call, error.status)

    def _told(self, call: Call, status: int, size: int = 0) -> None:
        self._events.emit(access_line(call, status, size, self._clock.now()))


def _handler(client: connection.Client) -> ConnectionHandler | None:
    server = ctx.master.addons.get("proxyserver")
    return server.connections.get(client.id) if isinstance(server, Proxyserver) else None


def _writer(client: connection.Client) -> asyncio.StreamWriter | None:
    handler = _handler(client)
    transport = handler.transports.get(client) if handler is not None else None
    writer = transport.writer if transport is not None else None
    return writer if isinstance(writer, asyncio.StreamWriter) else None


def _peer(client: connection.Client) -> str:
    return str(client.peername[0]) if client.peername else ""


def _host(context: Context) -> str:
    return str(context.server.address[0]) if context.server.address else ""


def _user_of(client: connection.Client) -> str:
    return str(getattr(client, "proxyauth_user", ""))


def _websocket_fields(fields: FieldList) -> FieldList:
    """As the client sent them, but for what concerns only the connection to us."""
    return without(fields, (b"proxy-authorization", b"proxy-connection"))
