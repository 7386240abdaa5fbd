"""The cache above the limiter: a hit is answered at once, everything else is forwarded and may be stored (RFC 9111).

What several clients ask for at the same time is forwarded once (`flights`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sluicegate.clock import Clock
from sluicegate.core.caching import collapsing, policy
from sluicegate.core.caching.decisions import (
    Again,
    CacheOptions,
    Forward,
    Freshened,
    Hit,
    Join,
    Lookup,
    Multipart,
    PassOn,
    Reason,
    Refuse,
    Revalidate,
    Store,
)
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.invalidation import SAFE_METHODS, invalidated
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.http import RequestHead, ResponseHead
from sluicegate.core.ports import BodyReader, CacheStore, EventSink, OnInterim
from sluicegate.errors import CacheStoreError, ClientGone
from sluicegate.exchange.bodies import BytesBody, drain
from sluicegate.exchange.call import Answer, Call
from sluicegate.exchange.chained import ChainedBody, Link
from sluicegate.exchange.fill import Fill, FillReader
from sluicegate.exchange.flights import Flight, Flights, Verdict, keep_whole
from sluicegate.exchange.forward import Forwarder, Received
from sluicegate.exchange.telling import tell
from sluicegate.tasks import undisturbed

NOT_MODIFIED = 304
BODYLESS = frozenset({NOT_MODIFIED, 416})
"""Statuses that the policy answers with, from a stored response and without its body."""

type Plan = Revalidate | Forward


@dataclass(slots=True)
class _Errand:
    """A call that the store had no answer to."""

    call: Call
    request: RequestHead
    """Its end-to-end fields."""
    key: str
    on_interim: OnInterim


class CachedForwarder:
    """Answers from the store where RFC 9111 allows it, through the forwarder otherwise."""

    def __init__(
        self,
        *,
        forwarder: Forwarder,
        store: CacheStore,
        options: CacheOptions,
        clock: Clock,
        events: EventSink,
        flights: Flights,
    ) -> None:
        self.options = options
        self._forwarder = forwarder
        self._store = store
        self._clock = clock
        self._events = events
        self._flights = flights

    async def answer(self, call: Call, request: RequestHead, on_interim: OnInterim) -> Answer:
        """Answer `request` (end-to-end fields). Raises what the forwarder raises."""
        if not (self.options.enabled and call.may_use_cache):
            return await self.pass_on(call, request, on_interim)
        key = cache_key(request)
        entries = await self._entries(key) if call.plain or policy.may_use_cache(request) else []
        found = policy.look_up(request, entries, self.options, self._clock.wall())
        match found:
            case Hit():
                if (answer := await self._hit(call, found, found)) is not None:
                    return answer
                plan: Plan = Forward(request, Reason.URI_MISS)
            case Refuse():
                return tell(self._events, call, found, found.head, BytesBody())
            case _:
                plan = found
        errand = _Errand(call, request, key, on_interim)
        return await self._shared(errand, plan, entries)

    async def pass_on(self, call: Call, request: RequestHead, on_interim: OnInterim) -> Answer:
        """Forward past the cache."""
        received = await self._forwarder.send(call, request, on_interim)
        plan = Forward(request, Reason.CACHE_OFF)
        return tell(self._events, call, plan, received.head, received.body, status=received.head.status)

    async def _entries(self, key: str) -> list[StoredEntry]:
        """What is stored under `key`, to the moment: what became complete while the store was asked is known by then."""
        found = self._store.recall(key)
        if found is None:
            found = await self._store.entries(key) or self._store.recall(key)
        return found or []

    async def _hit(self, call: Call, hit: Hit, found: Lookup) -> Answer | None:
        """The stored response; None when its body turns out to be gone. `found` is what was stored when the call came."""
        body = await self._body_of(hit, call.request.method)
        return None if body is None else tell(self._events, call, found, hit.head, body, collapsed=found is not hit)

    async def _shared(
        self, errand: _Errand, plan: Plan, variants: list[StoredEntry], *, once_more: bool = True
    ) -> Answer:
        """Lead a flight, or follow the one that is under way for requests like this one; go alone if that will not do."""
        name = self._flight_name(errand, plan, variants)
        if name is None:
            return await self._forwarded(errand, plan)
        flight = self._flights.get(name)
        if flight is not None:
            return await self._followed(errand, plan, flight, once_more=once_more)
        flight = self._flights.begin(name, errand.key)
        return await (self._forwarded(errand, plan) if flight is None else self._led(errand, plan, flight))

    async def _followed(self, errand: _Errand, plan: Plan, flight: Flight, *, once_more: bool) -> Answer:
        """Wait for what another request learns, and ask the origin only if that is not for this one."""
        told = await flight.follow()
        if told is Verdict.LEAD:
            return await self._led(errand, plan, flight)
        if isinstance(told, FillReader):
            if (answer := await self._joined(errand, plan, told)) is not None:
                return answer
            if not collapsing.is_shareable(told.entry, self.options, self._clock.wall()):
                self._flights.keep_apart(flight.name)
            elif once_more:
                return await self._shared(errand, plan, [told.entry], once_more=False)
        elif told is Verdict.STORED:
            if (answer := await self._found_again(errand, plan)) is not None:
                return answer
            self._flights.keep_apart(flight.name)
        return await self._forwarded(errand, plan)

    def _flight_name(self, errand: _Errand, plan: Plan, variants: list[StoredEntry]) -> str | None:
        if not self._flights.collapse or errand.call.body is not None:
            return None
        return collapsing.flight_name(errand.key, errand.request, plan, variants, self.options)

    async def _led(self, errand: _Errand, plan: Plan, flight: Flight) -> Answer:
        """Ask the origin, for those who wait too."""
        try:
            return await self._forwarded(errand, plan, flight)
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, ClientGone):
                flight.fail(error)
            else:
                flight.leave()
            raise

    async def _joined(self, errand: _Errand, plan: Plan, reader: FillReader) -> Answer | None:
        """The response that is on its way to another client; None when it is not for this one."""
        try:
            hit = policy.look_up(errand.request, [reader.entry], self.options, self._clock.wall())
            if isinstance(hit, Hit):
                body: BodyReader = reader
                if hit.head.status in BODYLESS:
                    await reader.aclose()
                    body = BytesBody()
                return tell(self._events, errand.call, plan, hit.head, body, collapsed=True)
        except BaseException:
            await reader.aclose()
            raise
        await reader.aclose()
        return None

    async def _found_again(self, errand: _Errand, plan: Plan) -> Answer | None:
        """What has been validated meanwhile for another client; None when it is not for this one."""
        entries = await self._entries(errand.key)
        hit = policy.look_up(errand.request, entries, self.options, self._clock.wall())
        return await self._hit(errand.call, hit, plan) if isinstance(hit, Hit) else None

    async def _forwarded(self, errand: _Errand, plan: Plan, flight: Flight | None = None) -> Answer:
        """Ask the origin until its answer can be used: twice at most, when what was to be validated is gone."""
        while True:
            received = await self._forwarder.send(errand.call, plan.request, errand.on_interim)
            try:
                outcome = policy.judge(
                    plan,
                    received.head,
                    self.options,
                    request_time=received.request_time,
                    response_time=received.response_time,
                )
                if not isinstance(outcome, Join) and outcome.remove:
                    await self._remove(outcome.remove)
                if plan.request.method not in SAFE_METHODS:
                    await self._invalidate(plan.request, received.head, errand.key)
                if isinstance(outcome, Join):
                    outcome = await self._joined_to_its_part(plan, outcome, received)
                if isinstance(outcome, Again | Freshened):
                    await _finish(received)
                    answer, plan = await self._validated(errand.call, plan, outcome)
                    if answer is not None:
                        if flight is not None:
                            flight.stored()
                        return answer
                else:
                    return await self._answered(errand, plan, outcome, received, flight)
            except BaseException:
                await received.body.aclose()
                raise

    async def _invalidate(self, request: RequestHead, response: ResponseHead, key: str) -> None:
        """Nobody joins what is under way for a resource that the request may have changed, and what is stored goes."""
        self._flights.detach(key)
        for other in invalidated(request, response):
            self._flights.detach(other)
            await self._remove([entry.id for entry in await self._store.entries(other)])

    async def _remove(self, entry_ids: Sequence[str]) -> None:
        for entry_id in entry_ids:
            await self._store.remove(entry_id)

    async def _joined_to_its_part(self, plan: Plan, outcome: Join, received: Received) -> Join | Again:
        """Make what was received the whole; if the stored part is gone, ask for all of it."""
        try:
            part = await self._store.open_body(outcome.part)
        except CacheStoreError:
            part = None
        if part is not None:
            links = [part, received.body] if outcome.part_first else [received.body, part]
            received.body = ChainedBody(links, outcome.length)
        await self._remove(outcome.remove)
        if part is None:
            original = plan.completes.original if isinstance(plan, Forward) and plan.completes else plan.request
            return Again(Forward(original, Reason.URI_MISS))
        return outcome

    async def _validated(self, call: Call, plan: Plan, outcome: Freshened | Again) -> tuple[Answer | None, Plan]:
        """The answer that a 304 leads to, or the plan for another request."""
        if isinstance(outcome, Again):
            return None, outcome.forward
        for entry in outcome.updates:
            await self._store.freshen(entry)
        body = await self._body_of(outcome, call.request.method)
        if body is not None:
            return tell(self._events, call, plan, outcome.head, body, outcome=outcome, status=NOT_MODIFIED), plan
        unconditional = plan.original if isinstance(plan, Revalidate) else plan.request
        return None, Forward(unconditional, Reason.URI_MISS)

    async def _answered(
        self, errand: _Errand, plan: Plan, outcome: Store | Join | PassOn, received: Received, flight: Flight | None
    ) -> Answer:
        """Give the response on, and to the store and those who wait for it if it is for them."""
        body = None
        if isinstance(outcome, Store | Join):
            body = await self._stored(errand.key, outcome.entry, received.body, flight)
        elif flight is not None:
            flight.scatter()
        return tell(
            self._events,
            errand.call,
            plan,
            outcome.head,
            body or received.body,
            outcome=outcome if isinstance(outcome, PassOn) or body is not None else None,
            status=received.head.status,
        )

    async def _stored(self, key: str, entry: StoredEntry, body: BodyReader, flight: Flight | None) -> BodyReader | None:
        """The body, stored on its way; None when it cannot be."""
        writer = self._store.begin(key, entry, body.length)
        if writer is None:
            if flight is not None:
                flight.scatter()
            return None
        if isinstance(body, BytesBody) and (flight is None or not flight.followed):
            await undisturbed(keep_whole(body.content, writer, flight))
            return body
        fill = Fill(body, writer, entry, self._flights.abandoned)
        reader = fill.open()
        if flight is not None:
            flight.open(fill)
        if body.length == 0:
            await _at_its_end(reader)
        return reader

    async def _body_of(self, found: Hit | Freshened, method: str) -> BodyReader | None:
        """The stored body; None when it is gone, and then the entry is too."""
        if method == "HEAD" or found.head.status in BODYLESS:
            return BytesBody()
        try:
            if isinstance(found, Hit) and found.multipart is not None:
                return await self._in_parts(found.entry, found.multipart)
            return await self._store.open_body(found.entry, found.span if isinstance(found, Hit) else None)
        except CacheStoreError:
            await self._store.remove(found.entry.id)
            return None

    async def _in_parts(self, entry: StoredEntry, multipart: Multipart) -> BodyReader:
        """Several parts of a stored body; the first is opened at once, to see that it is there."""
        (heading, span), *others = multipart.parts
        links: list[Link] = [heading, await self._store.open_body(entry, span)]
        for heading, span in others:
            links += [heading, partial(self._store.open_body, entry, span)]
        return ChainedBody([*links, multipart.end], multipart.length)


async def _finish(received: Received) -> None:
    """Be done with a response that is not given on; one that has a body of any length is not worth reading to its end."""
    await (drain(received.body) if received.head.status == NOT_MODIFIED else received.body.aclose())


async def _at_its_end(reader: FillReader) -> None:
    """Store a body that has no bytes; nobody need read it."""
    try:
        await reader.read()
    except BaseException:
        await reader.aclose()
        raise
