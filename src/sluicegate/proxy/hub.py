"""What the hooks share: the services behind them, and what mitmproxy knows of a connection."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mitmproxy import connection, ctx, http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.server import ConnectionHandler

from sluicegate.clock import Clock
from sluicegate.core.events import Access, CacheDecided
from sluicegate.core.http import RequestHead
from sluicegate.core.interception import Interception
from sluicegate.core.ports import EventSink
from sluicegate.errors import ClientGone, ExchangeError
from sluicegate.exchange.call import Call
from sluicegate.exchange.engine import Engine
from sluicegate.exchange.hits import Hits, Ready
from sluicegate.exchange.problems import InternalFault
from sluicegate.exchange.telling import hit_word
from sluicegate.proxy import flows
from sluicegate.proxy.conversation import access_line
from sluicegate.proxy.patience import Patience
from sluicegate.proxy.request_ids import request_ids
from sluicegate.proxy.wayside import Wayside

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Services:
    """What the hooks call; replaced as a whole when the configuration changes."""

    engine: Engine
    hits: Hits
    wayside: Wayside
    interception: Interception
    header_limit: int
    authority: Path
    """Our certificate, for the message to whoever does not trust it."""


@dataclass(slots=True)
class Hub:
    """One for all hooks of a proxy."""

    services: Services
    clock: Clock
    events: EventSink
    draining: bool = False
    patience: Patience = field(default_factory=Patience)
    _next_id: Callable[[], str] = field(default_factory=request_ids)

    def call(self, client: connection.Client, head: RequestHead, started: float | None = None) -> Call:
        """A call for a client's request, as yet without body and user; it has `started` now, unless told otherwise."""
        return Call(self._next_id(), address_of(client), head, started=self.clock.now() if started is None else started)

    def refuse(self, flow: http.HTTPFlow, call: Call, error: Exception) -> None:
        """Answer a flow that mitmproxy carries with `error`, whatever it is: a fault of ours must not let it pass."""
        if isinstance(error, ClientGone):
            if flow.killable:
                flow.kill()
            call.error = "client_gone"
            self.tell(call, 0)
            return
        if not isinstance(error, ExchangeError):
            _logger.error("exchange %s failed", call.request_id, exc_info=error)
            error = InternalFault("An internal fault; the log has the details.")
        flows.set_response(flow, self.services.engine.refuse(call, error), None)
        self.tell(call, error.status)

    def tell(self, call: Call, status: int, size: int = 0) -> None:
        """Emit the access line of a call that ends here."""
        self.events.emit(access_line(call, status, size, self.clock.now()))

    def tell_hit(self, request: RequestHead, client: str, user: str, ready: Ready, began: float) -> None:
        """Emit what a response from memory is told as; `began` in seconds of `Clock.now`."""
        request_id = self._next_id()
        url, reason = request.url, ready.reason
        token, word = reason.token, hit_word(reason)
        if self.events.wants(CacheDecided):
            self.events.emit(CacheDecided(request_id, url, word, token, reason.section))
            token = ""
        self.events.emit(
            Access(
                request_id,
                client,
                request.method,
                url,
                request.origin.host,
                ready.status,
                ready.body_length,
                self.clock.now() - began,
                0.0,
                word,
                "",
                "",
                user,
                token,
            )
        )


def handler_of(client: connection.Client) -> ConnectionHandler | None:
    """Mitmproxy's handler of a client's connection; None once it has ended."""
    server = ctx.master.addons.get("proxyserver")
    return server.connections.get(client.id) if isinstance(server, Proxyserver) else None


def writer_of(client: connection.Client) -> asyncio.StreamWriter | None:
    """The client's stream; None once it is gone."""
    handler = handler_of(client)
    return None if handler is None else stream_of(handler, client)


def stream_of(handler: ConnectionHandler, client: connection.Client) -> asyncio.StreamWriter | None:
    """The same where the handler is known."""
    transport = handler.transports.get(client)
    writer = transport.writer if transport is not None else None
    return writer if isinstance(writer, asyncio.StreamWriter) else None


def address_of(client: connection.Client) -> str:
    """The client's IP address."""
    return str(client.peername[0]) if client.peername else ""


def host_of(context: Context) -> str:
    """The host that CONNECT named."""
    return str(context.server.address[0]) if context.server.address else ""


def user_of(client: connection.Client) -> str:
    """Who authenticated at CONNECT."""
    return str(getattr(client, "proxyauth_user", ""))
