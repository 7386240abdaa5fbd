"""The cache above the limiter: a hit is answered at once, everything else is forwarded and may be stored (RFC 9111)."""

from sluicegate.clock import Clock
from sluicegate.core.caching import policy
from sluicegate.core.caching.decisions import (
    Again,
    CacheOptions,
    Forward,
    Freshened,
    Hit,
    Lookup,
    Outcome,
    PassOn,
    Reason,
    Refuse,
    Revalidate,
    Store,
)
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.invalidation import also_invalidated
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.caching.status import cache_status
from sluicegate.core.events import CacheDecided
from sluicegate.core.http import RequestHead, ResponseHead
from sluicegate.core.ports import BodyReader, CacheStore, EventSink, OnInterim
from sluicegate.errors import CacheStoreError
from sluicegate.exchange.bodies import BytesBody, SlicedBody, drain
from sluicegate.exchange.call import Answer, Call
from sluicegate.exchange.forward import Forwarder, Received

NOT_MODIFIED = 304
BODYLESS = frozenset({NOT_MODIFIED, 416})
"""Statuses that the policy answers with, from a stored response and without its body."""


class CachedForwarder:
    """Answers from the store where RFC 9111 allows it, through the forwarder otherwise."""

    def __init__(
        self, *, forwarder: Forwarder, store: CacheStore, options: CacheOptions, clock: Clock, events: EventSink
    ) -> None:
        self.options = options
        self._forwarder = forwarder
        self._store = store
        self._clock = clock
        self._events = events

    async def answer(self, call: Call, request: RequestHead, on_interim: OnInterim) -> Answer:
        """Answer `request` (end-to-end fields). Raises what the forwarder raises."""
        if not (self.options.enabled and call.may_use_cache):
            return await self.pass_on(call, request, on_interim)
        key = cache_key(request)
        entries = await self._store.entries(key) if policy.may_use_cache(request) else []
        lookup = policy.look_up(request, entries, self.options, self._clock.wall())
        match lookup:
            case Hit():
                answer = await self._hit(call, lookup)
                return answer or await self._forwarded(call, key, Forward(request, Reason.URI_MISS), on_interim)
            case Refuse():
                return self._told(call, lookup, None, lookup.head, BytesBody())
            case _:
                return await self._forwarded(call, key, lookup, on_interim)

    async def pass_on(self, call: Call, request: RequestHead, on_interim: OnInterim) -> Answer:
        """Forward past the cache."""
        received = await self._forwarder.send(call, request, on_interim)
        plan = Forward(request, Reason.CACHE_OFF)
        return self._told(call, plan, None, received.head, received.body, status=received.head.status)

    async def _hit(self, call: Call, hit: Hit) -> Answer | None:
        """The stored response; None when its body turns out to be gone."""
        body = await self._body_of(hit.entry, hit.head, call.request.method)
        if body is None:
            return None
        if hit.span is not None:
            body = SlicedBody(body, hit.span.start, hit.span.end)
        return self._told(call, hit, None, hit.head, body)

    async def _forwarded(self, call: Call, key: str, plan: Revalidate | Forward, on_interim: OnInterim) -> Answer:
        """Ask the origin until its answer can be used: twice at most, when what was to be validated is gone."""
        while True:
            received = await self._forwarder.send(call, plan.request, on_interim)
            try:
                outcome = await self._judged(plan, received)
                if isinstance(outcome, Again | Freshened):
                    await drain(received.body)
                    answer, plan = await self._validated(call, plan, outcome)
                    if answer is not None:
                        return answer
                else:
                    return await self._answered(call, key, plan, outcome, received)
            except BaseException:
                await received.body.aclose()
                raise

    async def _judged(self, plan: Revalidate | Forward, received: Received) -> Outcome:
        outcome = policy.judge(
            plan,
            received.head,
            self.options,
            request_time=received.request_time,
            response_time=received.response_time,
        )
        for entry_id in outcome.remove:
            await self._store.remove(entry_id)
        for key in also_invalidated(plan.request, received.head):
            for entry in await self._store.entries(key):
                await self._store.remove(entry.id)
        return outcome

    async def _validated(
        self, call: Call, plan: Revalidate | Forward, outcome: Freshened | Again
    ) -> tuple[Answer | None, Revalidate | Forward]:
        """The answer that a 304 leads to, or the plan for another request."""
        if isinstance(outcome, Again):
            return None, outcome.forward
        for entry in outcome.updates:
            await self._store.freshen(entry)
        body = await self._body_of(outcome.entry, outcome.head, call.request.method)
        if body is not None:
            return self._told(call, plan, outcome, outcome.head, body, status=NOT_MODIFIED), plan
        unconditional = plan.original if isinstance(plan, Revalidate) else plan.request
        return None, Forward(unconditional, Reason.URI_MISS)

    async def _answered(
        self, call: Call, key: str, plan: Revalidate | Forward, outcome: Store | PassOn, received: Received
    ) -> Answer:
        body = received.body
        told: Outcome | None = outcome
        if isinstance(outcome, Store):
            body = await self._store.store(key, outcome.entry, received.body)
            told = outcome if body is not received.body else None
        return self._told(call, plan, told, outcome.head, body, status=received.head.status)

    async def _body_of(self, entry: StoredEntry, head: ResponseHead, method: str) -> BodyReader | None:
        """The stored body; None when it is gone, and then the entry is too."""
        if method == "HEAD" or head.status in BODYLESS:
            return BytesBody()
        try:
            return await self._store.open_body(entry)
        except CacheStoreError:
            await self._store.remove(entry.id)
            return None

    def _told(
        self,
        call: Call,
        lookup: Lookup,
        outcome: Outcome | None,
        head: ResponseHead,
        body: BodyReader,
        *,
        status: int | None = None,
    ) -> Answer:
        """The answer with its Cache-Status; log and metrics are told the same."""
        call.cache = _word(lookup, outcome)
        reason = lookup.reason if outcome is None or isinstance(outcome, Again) else outcome.reason
        self._events.emit(
            CacheDecided(
                call.request_id,
                call.request.url,
                call.cache,
                reason.token,
                reason.section,
                stored=isinstance(outcome, Store | Freshened),
            )
        )
        fields = [*head.fields, (b"Cache-Status", cache_status(lookup, outcome, status=status))]
        return Answer(ResponseHead(head.status, head.reason, fields), body)


def _word(lookup: Lookup, outcome: Outcome | None) -> str:
    """The access line's `cache`."""
    match lookup, outcome:
        case Hit(), _:
            return "hit"
        case Refuse(), _:
            return "none"
        case _, Freshened():
            return "revalidated"
        case Forward(reason=Reason.CACHE_OFF | Reason.METHOD), _:
            return "bypass"
        case _:
            return "miss"
