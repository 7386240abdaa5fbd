"""The admin server's socket and routes. To read it needs no password; to manage the cache, the admin token."""

from collections.abc import Callable

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from sluicegate.admin import pages
from sluicegate.admin.cache_api import CacheList, CachePurge, Upkeep
from sluicegate.admin.names import answered_names
from sluicegate.errors import StartError

_IDLE_S = 60
_MAX_BODY = 64 * 1024


class AdminServer:
    """Serves on `host:port` (port 0: any free one) on the running event loop.

    `ready` tells whether traffic is accepted. On a loopback address only requests that name this machine by a local
    name are answered, so that no web page can reach it by DNS rebinding. Without `upkeep` the cache cannot be managed.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        status: pages.Status,
        ready: Callable[[], bool],
        metrics: pages.Exposition,
        upkeep: Upkeep | None = None,
    ) -> None:
        self.host = host.strip("[]")
        self.port = port
        self._sources = pages.Sources(status, ready, metrics, answered_names(self.host))
        self._upkeep = upkeep
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
        self._server = HTTPServer(self._application(), idle_connection_timeout=_IDLE_S, max_body_size=_MAX_BODY)
        self._server.add_sockets(sockets)

    async def stop(self) -> None:
        """Stop listening and close every connection; idempotent."""
        if self._server is not None:
            server, self._server = self._server, None
            server.stop()
            await server.close_all_connections()

    def _application(self) -> Application:
        options: dict[str, object] = {"sources": self._sources}
        routes = [
            (r"/", pages.Dashboard, options),
            (r"/healthz", pages.Health, options),
            (r"/readyz", pages.Ready, options),
            (r"/metrics", pages.MetricsPage, options),
            (r"/api/status", pages.StatusPage, options),
        ]
        if self._upkeep is not None:
            managed = options | {"upkeep": self._upkeep}
            routes += [(r"/api/cache", CacheList, managed), (r"/api/cache/purge", CachePurge, managed)]
        return Application(
            routes,
            default_handler_class=pages.NotFound,
            default_handler_args=options,
            log_function=lambda _handler: None,
            compress_response=True,
        )
