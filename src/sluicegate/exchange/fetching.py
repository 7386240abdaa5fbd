"""Asking the origin, and what becomes of its answer: judged, stored or freshened, and given on (RFC 9111 §3, §4.3, §4.4)."""

from sluicegate.core.caching import policy
from sluicegate.core.caching.decisions import (
    Again,
    Forward,
    Freshened,
    Join,
    PassOn,
    Reason,
    Revalidate,
    Store,
)
from sluicegate.core.caching.invalidation import SAFE_METHODS, invalidated
from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.core.caching.stale import ERRORS, Occasion
from sluicegate.core.http import RequestHead, ResponseHead
from sluicegate.core.ports import BodyReader, CacheStore, EventSink
from sluicegate.errors import CacheStoreError
from sluicegate.exchange.bodies import BytesBody, drain
from sluicegate.exchange.call import Answer, Call
from sluicegate.exchange.chained import ChainedBody
from sluicegate.exchange.errand import Errand, Plan
from sluicegate.exchange.fill import Fill, FillReader
from sluicegate.exchange.flights import Flight, Flights, keep_whole
from sluicegate.exchange.forward import Forwarder
from sluicegate.exchange.integrity import checked
from sluicegate.exchange.sent import Received
from sluicegate.exchange.stored import NOT_MODIFIED, Stored
from sluicegate.exchange.telling import tell
from sluicegate.tasks import undisturbed


class OriginFailed(Exception):
    """The origin answered with an error, and something stored may be used instead (RFC 5861 §4); nothing is held."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the origin answered {status}")
        self.status = status


class Fetcher:
    """Asks origins."""

    def __init__(
        self, *, forwarder: Forwarder, stored: Stored, rules: RuleSet, events: EventSink, flights: Flights
    ) -> None:
        self.forwarder = forwarder
        self._stored = stored
        self._store: CacheStore = stored.store
        self._rules = rules
        self._events = events
        self._flights = flights

    async def fetch(self, errand: Errand, plan: Plan, flight: Flight | None = None) -> Answer:
        """Ask the origin until its answer can be used: twice at most, when what was to be validated is gone.

        Raises what the forwarder raises, and OriginFailed.
        """
        if errand.moment is None:
            errand.moment = self._store.moment(errand.key)
        while True:
            received = await self.forwarder.send(errand.call, plan.request, errand.on_interim)
            try:
                _accept(errand, plan, received)
                outcome = policy.judge(
                    plan,
                    received.head,
                    errand.options,
                    request_time=received.request_time,
                    response_time=received.response_time,
                )
                if not isinstance(outcome, Join | Freshened) and outcome.remove:
                    await self._stored.remove(outcome.remove)
                if plan.request.method not in SAFE_METHODS:
                    await self.invalidate(plan.request, received.head, errand.key)
                    errand.moment = self._store.moment(errand.key)  # what it answers itself is not outdated by it
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

    async def invalidate(self, request: RequestHead, response: ResponseHead, key: str) -> None:
        """Nobody joins what is under way for a resource that the request may have changed, and what is stored goes."""
        self._flights.detach(key)
        for other in invalidated(request, response, self._rules.keys):
            self._flights.detach(other)
            self._store.invalidate(other)
            await self._stored.remove([entry.id for entry in await self._store.entries(other)])

    async def _joined_to_its_part(self, plan: Plan, outcome: Join, received: Received) -> Join | Again:
        """Make what was received the whole; if the stored part is gone, ask for all of it."""
        try:
            part = await self._store.open_body(outcome.part)
        except CacheStoreError:
            part = None
        if part is not None:
            links = [part, received.body] if outcome.part_first else [received.body, part]
            received.body = ChainedBody(links, outcome.length)
        await self._stored.remove(outcome.remove)
        if part is None:
            original = plan.completes.original if isinstance(plan, Forward) and plan.completes else plan.request
            return Again(Forward(original, Reason.URI_MISS))
        return outcome

    async def _validated(self, call: Call, plan: Plan, outcome: Freshened | Again) -> tuple[Answer | None, Plan]:
        """The answer that a 304 leads to, or the plan for another request."""
        if isinstance(outcome, Again):
            return None, outcome.forward
        await self._stored.freshen(outcome.updates)
        body = await self._stored.body_of(outcome, call.request.method)
        if outcome.remove:
            await self._stored.remove(outcome.remove)
        if body is not None:
            return tell(self._events, call, plan, outcome.head, body, outcome=outcome, status=NOT_MODIFIED), plan
        unconditional = plan.original if isinstance(plan, Revalidate) else plan.request
        return None, Forward(unconditional, Reason.URI_MISS)

    async def _answered(
        self, errand: Errand, plan: Plan, outcome: Store | Join | PassOn, received: Received, flight: Flight | None
    ) -> Answer:
        """Give the response on, and to the store and those who wait for it if it is for them."""
        body = None
        if isinstance(outcome, PassOn):
            await self._stored.freshen(outcome.updates)
        if isinstance(outcome, Store | Join):
            if errand.crowded_out:
                await self._stored.remove(errand.crowded_out)
            body = await self._kept(errand, outcome, received.body, flight)
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

    async def _kept(
        self, errand: Errand, outcome: Store | Join, body: BodyReader, flight: Flight | None
    ) -> BodyReader | None:
        """The body, stored on its way; None when it cannot be."""
        entry = outcome.entry
        writer = self._store.begin(errand.key, entry, body.length, errand.moment)
        if writer is None:
            if flight is not None:
                flight.scatter()
            return None
        writer = checked(writer, outcome.head, errand.request.url, self._events)
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


def _accept(errand: Errand, plan: Plan, received: Received) -> None:
    """Raise OriginFailed for an error that may be kept from the client."""
    if not plan.spare or received.head.status not in ERRORS:
        return
    now = received.response_time
    if policy.instead(errand.request, plan.candidates, Occasion.ERROR, errand.options, now) is not None:
        raise OriginFailed(received.head.status)


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
