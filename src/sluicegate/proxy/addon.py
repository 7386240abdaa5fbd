"""The mitmproxy addon: decides what a client's first bytes are for, and lets the engine answer.

HTTP/1.1 gets the lane, TLS is opened or carried, other protocols are carried (`carrier`). Requests that mitmproxy's own
HTTP layer has parsed all the same are answered by the same engine. A hook that fails refuses; see `carrier`.
"""

import contextlib
import logging

from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import layer
from mitmproxy.proxy.context import Context

from sluicegate.clock import Clock
from sluicegate.core.interception import starts_http, starts_tls
from sluicegate.core.ports import EventSink
from sluicegate.proxy import flows
from sluicegate.proxy.carrier import PERMITTED, Carrier, Closed
from sluicegate.proxy.hub import Hub, Services, host_of, user_of, writer_of
from sluicegate.proxy.lane import Lane, Turn
from sluicegate.proxy.reception import Reception
from sluicegate.proxy.tls import TlsWatch

_logger = logging.getLogger(__name__)

OPTIONS = {
    "connection_strategy": "lazy",
    "upstream_cert": False,
    "http2": False,
    "body_size_limit": str(flows.MAX_BODY),
}
"""Lazy, and without a look at the origin's certificate: a hit must not open a connection. HTTP/1.1 towards clients. What
mitmproxy's own HTTP layer holds whole is bounded."""


class SluicegateAddon:
    """Connects mitmproxy's hooks with the engine. `services` may be replaced while it runs."""

    def __init__(self, services: Services, *, clock: Clock, events: EventSink) -> None:
        self._hub = Hub(services, clock, events)
        self.reception = Reception(self._hub)
        self.carrier = Carrier(self._hub)
        self.tls = TlsWatch(self._hub)
        self.addons = [self.carrier, self.tls]
        """mitmproxy calls the hooks of these as well."""

    @property
    def services(self) -> Services:
        """What is behind the hooks now."""
        return self._hub.services

    @services.setter
    def services(self, services: Services) -> None:
        self._hub.services = services

    def drain(self) -> None:
        """From now on a connection ends with the response under way."""
        self._hub.draining = True

    def load(self, _loader: Loader) -> None:
        """Set the options that everything here relies on."""
        ctx.options.update(**OPTIONS)

    async def sluicegate_next_piece(self, turn: Turn) -> None:
        """The lane's hook: first the client's backpressure, then the engine's next piece."""
        writer = writer_of(turn.context.client)
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
        """The layer; None leaves the choice (of TLS, or of nothing yet) to mitmproxy."""
        if not data:
            return None
        self.tls.heard_of(context.client)
        in_tunnel = context.server.address is not None
        if starts_tls(data):
            closed_to_us = in_tunnel and not context.client.tls and self.services.interception.tunnels(host_of(context))
            return self.carrier.tunnel(context) if closed_to_us else None
        if not in_tunnel or starts_http(data):
            return Lane(context, self.reception)
        return await self.carrier.raw(context)

    async def request(self, flow: http.HTTPFlow) -> None:
        """What mitmproxy has read whole, for the engine to answer."""
        if flow.response is not None or PERMITTED in flow.metadata:
            return
        call = self._hub.call(flow.client_conn, flows.head_of(flow))
        call.may_use_cache = flows.names_its_origin(call.request)
        engine = self.services.engine
        try:
            call.user = user_of(flow.client_conn) or engine.access.admit(call.client, call.request.fields)
            await self._hub.patience.wait(flow.client_conn, flows.answer(engine, flow, call))
            if flow.response is not None:
                self._hub.tell(call, flow.response.status_code, len(flow.response.raw_content or b""))
        except Exception as error:
            self._hub.refuse(flow, call, error)
