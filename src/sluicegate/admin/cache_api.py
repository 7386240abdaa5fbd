"""The cache by HTTP, for whoever has the admin token: what is stored, and its removal.

The token is wanted from everybody, this machine's own users too: a local program must not empty the cache because it can
open a connection, and no web page can, for a browser does not put the token into a request.
"""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from sluicegate.admin.pages import Page, Sources
from sluicegate.admin.selecting import BadSelection, listing_of, purge_of
from sluicegate.core.admin_token import AdminToken
from sluicegate.core.caching.listing import Listed
from sluicegate.core.caching.selection import vary
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.core.ports import CacheStore, EventSink
from sluicegate.errors import CacheStoreError
from sluicegate.upkeep.purging import purge
from sluicegate.upkeep.selection import Selection, select, tags_of

type OpenStore = Callable[[], AbstractAsyncContextManager[CacheStore]]
"""Gives the store that the proxy uses, for as long as one request needs it."""

_AT_ONCE = 64 * 1024
_ADVICE = {
    HTTPStatus.UNAUTHORIZED: "Send `Authorization: Bearer TOKEN`: the configured admin_token, or what is in admin.token"
    " in the state directory.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The log says what is wrong with the store.",
}


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What it takes to manage the cache."""

    token: AdminToken
    open_store: OpenStore
    events: EventSink
    wall: Callable[[], float]
    """The time of day (Unix seconds)."""
    keys_of: Callable[[str], list[str]]
    """The cache keys that something stored for a URL may have under the rules in force."""

    def meant(self, selection: Selection) -> list[Selection]:
        """What a selection by URL means: one for each key that the URL may have."""
        if selection.url is None:
            return [selection]
        return [selection.of_url(key) for key in self.keys_of(selection.url)]


class _Refusal(HTTPError):
    """Carries what the answer tells."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(status, reason=status.phrase)
        self.detail = detail


class _Managed(Page):
    """Pages for whoever has the token; errors are problem+json (RFC 9457)."""

    def initialize(self, sources: Sources, upkeep: Upkeep) -> None:  # type: ignore[override]  # routes give both
        super().initialize(sources)
        self.upkeep = upkeep

    def prepare(self) -> None:
        super().prepare()
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise _Refusal(HTTPStatus.UNAUTHORIZED, "This is for whoever has the admin token.")
        if not self.upkeep.token.admits(token.strip().encode()):
            self.tell("admin_refused", Level.WARNING, "The admin API was asked with a wrong token.")
            raise _Refusal(HTTPStatus.UNAUTHORIZED, "This is not the admin token.")

    def tell(self, event: str, level: Level, message: str, **fields: object) -> None:
        """Write a log line with the client's address."""
        self.upkeep.events.emit(Notice(Stage.ADMIN, event, level, message, {"client": self.request.remote_ip} | fields))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(self.SUPPORTED_METHODS))
        if status_code == HTTPStatus.UNAUTHORIZED:
            self.set_header("WWW-Authenticate", 'Bearer realm="sluicegate"')
        error = kwargs.get("exc_info", (None, None))[1]
        document = {
            "type": "about:blank",
            "title": self._reason,
            "status": status_code,
            "detail": error.detail if isinstance(error, _Refusal) else "",
            "advice": _ADVICE.get(HTTPStatus(status_code), self.advice(status_code)),
        }
        self.set_header("Content-Type", "application/problem+json")
        self.finish(json.dumps({name: value for name, value in document.items() if value}, indent=1) + "\n")


class CacheList(_Managed):
    """What is stored, one JSON object a line, as it is read from the store."""

    SUPPORTED_METHODS = ("GET",)

    async def get(self) -> None:
        try:
            selection, limit = listing_of(self.request.query_arguments)
        except BadSelection as error:
            raise _Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        self.set_header("Content-Type", "application/jsonl")
        sent = False
        try:
            async with aclosing(self._pieces(selection, limit)) as pieces:
                async for lines in pieces:
                    self.write(lines)
                    await self.flush()
                    sent = True
        except StreamClosedError:
            return
        except CacheStoreError as error:
            if not sent:
                raise _unavailable(error) from None
            self.detach().close()  # so that nobody takes a part for the whole

    async def _pieces(self, selection: Selection, limit: int | None) -> AsyncGenerator[str]:
        """The lines, many at a time."""
        gathered, size, count = [], 0, 0
        async with (
            self.upkeep.open_store() as store,
            aclosing(self._selected(store, selection)) as selected,
        ):
            async for listed in selected:
                gathered.append(line := json.dumps(_shown(listed)) + "\n")
                size += len(line)
                count += 1
                if count == limit:
                    break
                if size >= _AT_ONCE:
                    yield "".join(gathered)
                    gathered, size = [], 0
        yield "".join(gathered)

    async def _selected(self, store: CacheStore, selection: Selection) -> AsyncGenerator[Listed]:
        for one in self.upkeep.meant(selection):
            async for listed in select(store, one, self.upkeep.wall()):
                yield listed


class CachePurge(_Managed):
    """Removes what is meant."""

    SUPPORTED_METHODS = ("POST",)

    async def post(self) -> None:
        if self.request.query_arguments:
            raise _Refusal(HTTPStatus.BAD_REQUEST, "What is to be removed is said in the body, not in the query.")
        try:
            selection = purge_of(self.request.body)
        except BadSelection as error:
            raise _Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        try:
            async with self.upkeep.open_store() as store:
                removed = sum([await purge(store, one, self.upkeep.wall()) for one in self.upkeep.meant(selection)])
        except CacheStoreError as error:
            raise _unavailable(error) from None
        told = _told(selection)
        self.tell("purged", Level.INFO, f"Stored responses were removed: {removed}.", removed=removed, selection=told)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"removed": removed}) + "\n")


def _unavailable(error: CacheStoreError) -> _Refusal:
    return _Refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"The store could not be used: {error}")


def _told(selection: Selection) -> dict[str, object]:
    """The conditions that are given, for the log."""
    given = {name: getattr(selection, name) for name in selection.__slots__}
    return {name: value for name, value in given.items() if value is not None} or {"all": True}


def _shown(listed: Listed) -> dict[str, object]:
    """What the listing says of one stored response; times are Unix seconds, sizes bytes."""
    response = listed.entry.response
    content_type = response.get(b"content-type")
    return {
        "url": listed.key,
        "status": response.status,
        "stored_at": round(listed.entry.response_time, 3),
        "used_at": round(listed.used, 3) or None,
        "size": listed.size,
        "body_length": listed.entry.body_length,
        "content_type": None if content_type is None else content_type.decode("latin-1"),
        "varies_by": sorted({name.decode("latin-1") for name in vary.varied_names(response)}),
        "tags": sorted(tag.decode("utf-8", "replace") for tag in tags_of(response)),
        "digest": None if listed.digest is None else listed.digest.hex(),
    }
