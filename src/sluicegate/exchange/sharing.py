"""Requests for the same at the same time: who asks the origin, and what the others make of its answer (RFC 9211 §2.6)."""

from sluicegate.clock import Clock
from sluicegate.core.caching import collapsing, policy
from sluicegate.core.caching.decisions import Hit
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.ports import BodyReader, EventSink
from sluicegate.errors import ClientGone, RequestError, ResponseCutShort, ResponseMalformed
from sluicegate.exchange.bodies import BytesBody
from sluicegate.exchange.call import Answer
from sluicegate.exchange.errand import Errand, Plan
from sluicegate.exchange.fetching import Fetcher, OriginFailed
from sluicegate.exchange.fill import FillReader
from sluicegate.exchange.flights import Flight, Flights, Verdict
from sluicegate.exchange.stored import BODYLESS, Stored
from sluicegate.exchange.telling import tell

_PROVOKED = (RequestError, ResponseCutShort, ResponseMalformed)
"""What one request may have brought about on purpose: where several people use the cache, it does not fail the others'."""


class Sharing:
    """Goes to the origin, or waits for one who does."""

    def __init__(self, *, fetcher: Fetcher, stored: Stored, clock: Clock, events: EventSink, flights: Flights) -> None:
        self._fetcher = fetcher
        self._stored = stored
        self._clock = clock
        self._events = events
        self._flights = flights

    async def answer(
        self, errand: Errand, plan: Plan, variants: list[StoredEntry], *, once_more: bool = True
    ) -> Answer:
        """Lead a flight, or follow the one that is under way for requests like this one; go alone if that will not do."""
        name = self.flight_name(errand, plan, variants)
        if name is None:
            return await self._alone(errand, plan)
        flight = self._flights.get(name)
        if flight is not None:
            try:
                return await self._followed(errand, plan, flight, once_more=once_more)
            except OriginFailed:
                if plan.spare:
                    raise
                return await self._alone(errand, plan)  # it takes nothing instead, but the error itself
        flight = self._flights.begin(name, errand.key)
        return await (self._alone(errand, plan) if flight is None else self.lead(errand, plan, flight))

    async def _followed(self, errand: Errand, plan: Plan, flight: Flight, *, once_more: bool) -> Answer:
        """Wait for what another request learns, and ask the origin only if that is not for this one."""
        if errand.call.pace is not None and flight.pace is not None:
            errand.call.pace = flight.pace
        told = await flight.follow()
        if told is Verdict.LEAD:
            return await self.lead(errand, plan, flight)
        if isinstance(told, FillReader):
            if (answer := await self._joined(errand, plan, told)) is not None:
                return answer
            if not collapsing.is_shareable(told.entry, errand.options, self._clock.wall()):
                self._flights.keep_apart(flight.name)
            elif once_more:
                return await self.answer(errand, plan, [told.entry], once_more=False)
        elif told is Verdict.STORED:
            if (answer := await self._found_again(errand, plan)) is not None:
                return answer
            self._flights.keep_apart(flight.name)
        return await self._alone(errand, plan)

    def flight_name(self, errand: Errand, plan: Plan, variants: list[StoredEntry]) -> str | None:
        """What it has in common with those that may wait for it; None when it goes alone."""
        if not self._flights.collapse or errand.call.body is not None:
            return None
        return collapsing.flight_name(errand.key, errand.request, plan, variants, errand.options)

    async def lead(self, errand: Errand, plan: Plan, flight: Flight) -> Answer:
        """Ask the origin, for those who wait too."""
        errand.leads = True
        flight.pace = errand.call.pace
        try:
            return await self._fetcher.fetch(errand, plan, flight)
        except BaseException as error:
            if isinstance(error, _PROVOKED) and errand.options.several:
                flight.scatter()
            elif isinstance(error, Exception) and not isinstance(error, ClientGone):
                flight.fail(error)
            else:
                flight.leave()
            raise

    async def _alone(self, errand: Errand, plan: Plan) -> Answer:
        """Ask the origin for nobody else."""
        if errand.lasting:
            return await self.lead(errand, plan, self._flights.begin_alone(errand.key))
        return await self._fetcher.fetch(errand, plan)

    async def _joined(self, errand: Errand, plan: Plan, reader: FillReader) -> Answer | None:
        """The response that is on its way to another client; None when it is not for this one."""
        try:
            hit = policy.look_up(errand.request, [reader.entry], errand.options, self._clock.wall())
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

    async def _found_again(self, errand: Errand, plan: Plan) -> Answer | None:
        """What has been validated meanwhile for another client; None when it is not for this one."""
        entries = await self._stored.entries(errand.key)
        hit = policy.look_up(errand.request, entries, errand.options, self._clock.wall())
        return await self._found(errand, plan, hit) if isinstance(hit, Hit) else None

    async def _found(self, errand: Errand, plan: Plan, hit: Hit) -> Answer | None:
        body = await self._stored.body_of(hit, errand.call.request.method)
        return None if body is None else tell(self._events, errand.call, plan, hit.head, body, collapsed=True)
