"""What anybody who reaches the admin server may read, and what all its pages share."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tornado.web import HTTPError, RequestHandler

from sluicegate.admin import dashboard
from sluicegate.admin.names import host_name

type Status = Callable[[], Awaitable[Mapping[str, object]]]
"""Gives the document of `/api/status`."""

type Exposition = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Gives the metrics and their content type for a value of Accept."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the pages show."""

    status: Status
    ready: Callable[[], bool]
    metrics: Exposition
    names: frozenset[str] | None
    """The host names that are answered; None: all."""


class Page(RequestHandler):
    """What all pages share: safe headers, the check of Host, errors in plain text."""

    SUPPORTED_METHODS: tuple[str, ...] = ("GET", "HEAD")

    def initialize(self, sources: Sources) -> None:
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
        if names is not None and host_name(self.request.host) not in names:
            raise HTTPError(403, reason="Forbidden", log_message="admin page asked for under a foreign name")

    async def head(self) -> None:
        await self.get()

    async def get(self) -> None:
        raise HTTPError(404)

    def compute_etag(self) -> None:
        return None

    def write_error(self, status_code: int, **_kwargs: Any) -> None:
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(self.SUPPORTED_METHODS))
        self.finish(f"{status_code} {self._reason}. {self.advice(status_code)}".rstrip() + "\n")

    def advice(self, status_code: int) -> str:
        """What whoever meets this status should know."""
        return {
            403: "The admin server on a loopback address answers to localhost, 127.0.0.1 and [::1] only.",
            404: "There are /healthz /readyz /metrics /api/status /api/cache /api/cache/purge and / here.",
            405: f"This is for {' and '.join(self.SUPPORTED_METHODS)} only.",
        }.get(status_code, "")


class NotFound(Page):
    """Any other path."""


class Health(Page):
    """The process lives and its event loop turns."""

    async def get(self) -> None:
        self.finish("ok\n")


class Ready(Page):
    """Traffic is accepted, or not (any more)."""

    async def get(self) -> None:
        if self.sources.ready():
            self.finish("ready\n")
        else:
            self.set_status(503)
            self.finish("not ready: starting, or draining before the end\n")


class MetricsPage(Page):
    """For Prometheus."""

    async def get(self) -> None:
        body, content_type = await self.sources.metrics(self.request.headers.get("Accept", ""))
        self.set_header("Content-Type", content_type)
        self.finish(body)


class StatusPage(Page):
    """For `sluicegate status` and the dashboard."""

    async def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(await self.sources.status()) + "\n")


class Dashboard(Page):
    """One page for people; it asks `/api/status` and loads nothing else."""

    async def get(self) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", dashboard.POLICY)
        self.finish(dashboard.PAGE)
