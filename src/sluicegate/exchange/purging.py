"""PURGE: whoever has the admin token removes what is stored under a URL, through the proxy itself.

The method is no standard; other caches answer it, and tools that publish to them send it. Without the token it is an
unsafe method like any other that we do not know: forwarded, and what it may have changed is invalidated (RFC 9111 §4.4).
"""

import json
from collections.abc import Callable

from sluicegate.core.admin_token import AdminToken
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.core.http import RequestHead, ResponseHead, get_all
from sluicegate.core.ports import CacheStore, EventSink
from sluicegate.errors import CacheStoreError, CacheUnavailable, TokenRefused
from sluicegate.exchange.bodies import BytesBody
from sluicegate.exchange.call import Answer, Call
from sluicegate.exchange.flights import Flights

METHOD = "PURGE"
TOKEN_FIELD = b"sluicegate-token"
"""Concerns this proxy alone: it goes to no origin, whatever the method."""


class Purging:
    """Answers PURGE. `key` gives the key that a request's response is stored under."""

    def __init__(
        self,
        *,
        token: AdminToken,
        store: CacheStore,
        flights: Flights,
        events: EventSink,
        key: Callable[[RequestHead], str],
    ) -> None:
        self._token = token
        self._store = store
        self._flights = flights
        self._events = events
        self._key = key

    async def answer(self, call: Call) -> Answer | None:
        """Remove all variants of what the call names; None for a PURGE without a token, which is for the origin.

        Raises TokenRefused, CacheUnavailable.
        """
        presented = get_all(call.request.fields, TOKEN_FIELD)
        if not presented:
            return None
        if len(presented) > 1 or not self._token.admits(presented[0]):
            self._tell("purge_refused", call, Level.WARNING, "A PURGE came with a wrong token.")
            raise TokenRefused(
                "Sluicegate-Token is not the admin token of this proxy.",
                advice="It is the configured admin_token, or what is in admin.token in the state directory.",
            )
        try:
            removed = await self._remove(self._key(call.request))
        except CacheStoreError as error:
            raise CacheUnavailable(f"Nothing is known to be removed: {error}", advice=error.advice) from error
        call.cache = "none"
        self._tell("purged", call, Level.INFO, f"Stored responses were removed: {removed}.", removed=removed)
        fields = [(b"Content-Type", b"application/json"), (b"Cache-Control", b"no-store")]
        return Answer(ResponseHead(200, b"OK", fields), BytesBody(json.dumps({"removed": removed}).encode() + b"\n"))

    async def _remove(self, key: str) -> int:
        """How many there were; what is on its way under the key is not kept either."""
        self._flights.detach(key)
        self._store.invalidate(key)
        ids = [listed.entry.id async for listed in self._store.listed(key, exact=True)]
        await self._store.remove_all(ids)
        return len(ids)

    def _tell(self, event: str, call: Call, level: Level, message: str, **fields: object) -> None:
        about = {"client": call.client, "user": call.user, "request_id": call.request_id, "url": call.request.url}
        self._events.emit(Notice(Stage.ADMIN, event, level, message, about | fields))
