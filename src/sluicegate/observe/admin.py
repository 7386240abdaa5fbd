"""The admin server: health, readiness, metrics, status and a dashboard. It only reads."""

import base64
import hashlib
import ipaddress
import json
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from sluicegate.errors import StartError

type Status = Callable[[], Awaitable[Mapping[str, object]]]
"""Gives the document of `/api/status`."""

type Exposition = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Gives the metrics and their content type for a value of Accept."""

_IDLE_S = 60
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class AdminServer:
    """Serves on `host:port` (port 0: any free one) on the running event loop.

    `ready` tells whether traffic is accepted. On a loopback address only requests that name this machine by a local
    name are answered, so that no web page can reach it by DNS rebinding.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        status: Status,
        ready: Callable[[], bool],
        metrics: Exposition,
    ) -> None:
        self.host = host.strip("[]")
        self.port = port
        self._sources = _Sources(status, ready, metrics, _answered_names(self.host))
        self._server: HTTPServer | None = None

    @property
    def address(self) -> str:
        """`host:port`, as a URL has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen; afterwards `port` is the real one. Raises StartError."""
        try:
            sockets = bind_sockets(self.port, self.host)
        except OSError as error:
            raise StartError(
                f"The admin server cannot listen on {self.address}: {error.strerror}.",
                advice="If another sluicegate runs here, `sluicegate status` shows it. Name another address with --admin"
                " or `admin:` (port 0 takes any free one), or go without: `admin: off`.",
            ) from error
        self.port = sockets[0].getsockname()[1]
        self._server = HTTPServer(self._application(), idle_connection_timeout=_IDLE_S)
        self._server.add_sockets(sockets)

    async def stop(self) -> None:
        """Stop listening and close every connection; idempotent."""
        if self._server is not None:
            server, self._server = self._server, None
            server.stop()
            await server.close_all_connections()

    def _application(self) -> Application:
        options = {"sources": self._sources}
        routes = [
            (r"/", _Dashboard, options),
            (r"/healthz", _Health, options),
            (r"/readyz", _Ready, options),
            (r"/metrics", _MetricsPage, options),
            (r"/api/status", _Status, options),
        ]
        return Application(
            routes,
            default_handler_class=_NotFound,
            default_handler_args=options,
            log_function=lambda _handler: None,
            compress_response=True,
        )


@dataclass(frozen=True, slots=True)
class _Sources:
    status: Status
    ready: Callable[[], bool]
    metrics: Exposition
    names: frozenset[str] | None
    """The host names that are answered; None: all."""


class _Page(RequestHandler):
    """What all pages share: safe headers, the check of Host, errors in plain text."""

    SUPPORTED_METHODS = ("GET", "HEAD")

    def initialize(self, sources: _Sources) -> None:
        self.sources = sources

    def set_default_headers(self) -> None:
        self.set_header("Server", "sluicegate")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")

    def prepare(self) -> None:
        names = self.sources.names
        if names is not None and _host_name(self.request.host) not in names:
            raise HTTPError(403, reason="Forbidden", log_message="admin page asked for under a foreign name")

    async def head(self) -> None:
        await self.get()

    async def get(self) -> None:
        raise HTTPError(404)

    def compute_etag(self) -> None:
        return None

    def write_error(self, status_code: int, **_kwargs: Any) -> None:
        advice = {
            403: "The admin server on a loopback address answers to localhost, 127.0.0.1 and [::1] only.",
            404: "There are /healthz /readyz /metrics /api/status and / here.",
            405: "The admin server only reads: GET and HEAD.",
        }
        self.finish(f"{status_code} {self._reason}. {advice.get(status_code, '')}".rstrip() + "\n")


class _NotFound(_Page):
    """Any other path."""


class _Health(_Page):
    """The process lives and its event loop turns."""

    async def get(self) -> None:
        self.finish("ok\n")


class _Ready(_Page):
    """Traffic is accepted, or not (any more)."""

    async def get(self) -> None:
        if self.sources.ready():
            self.finish("ready\n")
        else:
            self.set_status(503)
            self.finish("not ready: starting, or draining before the end\n")


class _MetricsPage(_Page):
    """For Prometheus."""

    async def get(self) -> None:
        body, content_type = await self.sources.metrics(self.request.headers.get("Accept", ""))
        self.set_header("Content-Type", content_type)
        self.finish(body)


class _Status(_Page):
    """For `sluicegate status` and the dashboard."""

    async def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(await self.sources.status()) + "\n")


class _Dashboard(_Page):
    """One page for people; it asks `/api/status` and loads nothing else."""

    async def get(self) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", _DASHBOARD_POLICY)
        self.finish(_DASHBOARD)


def _dashboard_policy(page: str) -> str:
    """A Content-Security-Policy under which exactly the page's own script and style run."""
    hashes = {}
    for tag in ("script", "style"):
        inline = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline)
        hashes[tag] = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


_DASHBOARD = files("sluicegate.observe").joinpath("dashboard.html").read_text("utf-8")
_DASHBOARD_POLICY = _dashboard_policy(_DASHBOARD)


def _answered_names(host: str) -> frozenset[str] | None:
    """The names a loopback server answers to; None when others may reach it, under names we cannot know."""
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return None
    if not all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in addresses):
        return None
    return _LOCAL_NAMES | {f"[{host}]" if ":" in host else host.lower()}


def _host_name(authority: str) -> str:
    """The host of a Host field, in lower case, brackets kept."""
    return re.sub(r":\d*$", "", authority).lower()
