"""The hooks around what mitmproxy carries for us: tunnels, WebSockets, other protocols. One permit each, and not past it.

mitmproxy logs a hook that raises and lets the flow go on, which would be past the limiter. So every hook here catches
whatever happens and refuses (fail closed).
"""

import logging

from mitmproxy import connection, http
from mitmproxy.proxy import commands, events, layer, layers
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http._upstream_proxy import HttpUpstreamProxy
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from sluicegate.core.http import without
from sluicegate.errors import ClientGone, ExchangeError
from sluicegate.exchange.call import Call
from sluicegate.exchange.purging import TOKEN_FIELD
from sluicegate.proxy import flows
from sluicegate.proxy.hub import Hub, host_of, user_of
from sluicegate.proxy.lane import placeholder

_logger = logging.getLogger(__name__)

SWITCHING_PROTOCOLS = 101
PERMITTED = "sluicegate_permitted"
"""Marks a flow whose permit has been taken."""
_OURS = (b"proxy-authorization", b"proxy-connection", TOKEN_FIELD)
"""Fields of a WebSocket's opening that are for us alone."""


class Closed(layer.Layer):
    """Ends a connection that may go nowhere."""

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Start):
            yield commands.CloseConnection(self.context.client)


class Carrier:
    """A mitmproxy addon; `raw` and `tunnel` give the layers that carry bytes."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._permitted: set[str] = set()

    def tunnel(self, context: Context) -> layer.Layer:
        """Bytes between the client and the origin that CONNECT named, through the parent proxy if there is one."""
        parent = self._hub.services.wayside.parent
        if parent is None:
            return layers.TCPLayer(context, ignore=True)
        context.server.via = ("http", parent.address)
        stack = HttpUpstreamProxy.make(context, send_connect=True)
        stack /= layers.TCPLayer(context, ignore=True)
        return stack[0]

    async def raw(self, context: Context) -> layer.Layer:
        """The same for a protocol that is neither TLS nor HTTP, with a permit unless CONNECT has taken it."""
        if context.client.id not in self._permitted:
            try:
                await self._permit(context.client, self._hub.call(context.client, placeholder(context)))
            except ClientGone:
                return Closed(context)
            except ExchangeError as error:
                _logger.warning("a tunnel to %s was closed: %s", host_of(context), error)
                return Closed(context)
        return self.tunnel(context)

    async def http_connect(self, flow: http.HTTPFlow) -> None:
        """CONNECT: who asks, where to, and for a tunnel that stays closed to us the one permit it costs."""
        call = self._call(flow)
        call.request.target = ""
        try:
            wayside = self._hub.services.wayside
            call.user = wayside.access.admit(call.client, call.request.fields)
            flow.client_conn.proxyauth_user = call.user  # type: ignore[attr-defined]  # travels with the connection
            wayside.check(call.request.origin.host, call.request.fields)
            if self._hub.services.interception.tunnels(call.request.origin.host):
                await self._permit(flow.client_conn, call)
                self._permitted.add(flow.client_conn.id)
                call.cache = "tunnel"
                self._hub.tell(call, 200)
        except Exception as error:
            self._hub.refuse(flow, call, error)

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """A WebSocket takes its permit before mitmproxy opens it."""
        if not flows.is_websocket(flow):
            return
        call = self._call(flow)
        call.cache = "tunnel"
        try:
            wayside = self._hub.services.wayside
            call.user = user_of(flow.client_conn) or wayside.access.admit(call.client, call.request.fields)
            wayside.check(call.request.origin.host, call.request.fields)
            await self._permit(flow.client_conn, call)
            flow.request.headers.fields = tuple(without(call.request.fields, _OURS))
            if wayside.parent is not None:
                flow.server_conn.via = ("http", wayside.parent.address)
            flow.metadata[PERMITTED] = call
        except Exception as error:
            self._hub.refuse(flow, call, error)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """The access line of a WebSocket, once its origin has answered; a refusal's body is not held back."""
        call = flow.metadata.get(PERMITTED)
        if call is not None and flow.response is not None:
            flow.response.stream = flow.response.status_code != SWITCHING_PROTOCOLS
            self._hub.tell(call, flow.response.status_code)

    def http_connect_upstream(self, flow: http.HTTPFlow) -> None:
        """Our credentials for the parent proxy."""
        parent = self._hub.services.wayside.parent
        if parent is not None and parent.authorization:
            flow.request.headers["Proxy-Authorization"] = parent.authorization

    async def server_connect(self, data: ServerConnectionHookData) -> None:
        """Connections that mitmproxy opens itself go where clients may go, whatever DNS says."""
        wayside = self._hub.services.wayside
        if data.server.address is None or data.server.via is not None or wayside.parent is not None:
            return
        host, port = data.server.address[0], data.server.address[1]
        try:
            address = await wayside.permitted_address(host, port)
        except Exception as error:
            data.server.error = str(error) or type(error).__name__
            return
        if address is not None:
            data.server.sni = data.server.sni or (host if data.server.tls else None)
            data.server.address = address

    def client_disconnected(self, client: connection.Client) -> None:
        """Nothing is kept of a client that has left."""
        self._permitted.discard(client.id)

    async def _permit(self, client: connection.Client, call: Call) -> None:
        """The one permit that something carried costs. Raises LimitError, ClientGone."""
        await self._hub.patience.wait(client, self._hub.services.wayside.permit(call))

    def _call(self, flow: http.HTTPFlow) -> Call:
        return self._hub.call(flow.client_conn, flows.head_of(flow))
