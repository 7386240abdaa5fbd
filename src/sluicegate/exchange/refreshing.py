"""Validating in the background what a client has just been given stale (RFC 5861 §3): through the limiter, once at a time."""

from collections.abc import Awaitable

from sluicegate.clock import Clock
from sluicegate.core.caching import policy
from sluicegate.core.caching.decisions import Revalidate
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.core.caching.selection.variants import MAX_STORED, crowded_out
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.core.http import RequestHead, ResponseHead
from sluicegate.core.ports import EventSink
from sluicegate.errors import CacheStoreError, ExchangeError
from sluicegate.exchange.bodies import drain
from sluicegate.exchange.call import Answer, Call
from sluicegate.exchange.errand import Errand
from sluicegate.exchange.fetching import OriginFailed
from sluicegate.exchange.flights import Flights
from sluicegate.exchange.sharing import Sharing
from sluicegate.exchange.stored import Stored


class Refresher:
    """Refreshes the store. Who must wait for something fresh meanwhile follows it, as it would a client's request."""

    def __init__(
        self, *, sharing: Sharing, stored: Stored, rules: RuleSet, clock: Clock, events: EventSink, flights: Flights
    ) -> None:
        self._sharing = sharing
        self._stored = stored
        self._rules = rules
        self._clock = clock
        self._events = events
        self._flights = flights

    def begin(self, request: RequestHead, entry: StoredEntry) -> None:
        """Have `entry`, with which `request` (end-to-end fields) was answered, validated. Waits for nothing."""
        self._flights.background.start(entry.id, lambda: self._refresh(request))

    async def see_out(self, call: Call, coming: Awaitable[Answer]) -> bool:
        """Read the answer to the end, for the store; tell what came of it. Whether it went well."""
        began = self._clock.now()
        try:
            answer = await coming
            try:
                await drain(answer.body)
            finally:
                await answer.body.aclose()
        except (ExchangeError, OriginFailed, CacheStoreError) as error:
            self._tell("refresh_failed", Level.WARNING, f"a stored response was not refreshed: {error}", call, began)
            return False
        self._tell("refreshed", Level.INFO, "a stored response was refreshed", call, began)
        return True

    async def _refresh(self, request: RequestHead) -> bool:
        key, options = self._rules.resolve(request)
        entries = await self._stored.entries(key)
        plan = policy.renewal(request, entries, options, self._clock.wall())
        if plan is None or options.offline:
            return True
        whole = plan.original if isinstance(plan, Revalidate) else plan.request
        call = Call(self._flights.background.next_id(), "", whole, started=self._clock.now(), background=True)
        errand = Errand(call, whole, key, options, _no_interim, lasting=True)
        if len(entries) >= MAX_STORED:
            errand.crowded_out = crowded_out(entries)
        name = self._sharing.flight_name(errand, plan, entries)
        if name is not None and self._flights.get(name) is not None:
            return True
        return await self.see_out(call, self._sharing.answer(errand, plan, entries))

    def _tell(self, event: str, level: Level, message: str, call: Call, began: float) -> None:
        fields: dict[str, object] = {
            "request_id": call.request_id,
            "url": call.request.url,
            "cache": call.cache,
            "wait_ms": round(call.wait_s * 1000, 3),
            "duration_ms": round((self._clock.now() - began) * 1000, 3),
        }
        self._events.emit(Notice(Stage.CACHE, event, level, message, fields))


async def _no_interim(_head: ResponseHead) -> None:
    """Nobody waits for a 1xx response."""
