"""The cache above the limiter: a hit is answered at once, everything else is forwarded and may be stored (RFC 9111).

What several clients ask for at the same time is forwarded once (`sharing`), and something stale may stand in for an
origin that does not answer (`spare`), or be validated after it has been used (`refreshing`).
"""

from sluicegate.clock import Clock
from sluicegate.core.caching import policy
from sluicegate.core.caching.decisions import CacheOptions, Forward, Hit, PassOn, Reason, Refuse
from sluicegate.core.caching.invalidation import SAFE_METHODS
from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.core.caching.selection.variants import MAX_STORED, crowded_out
from sluicegate.core.caching.stale import REFRESHING
from sluicegate.core.http import RequestHead
from sluicegate.core.ports import CacheStore, EventSink, OnInterim
from sluicegate.errors import Offline
from sluicegate.exchange.bodies import BytesBody
from sluicegate.exchange.call import Answer, Call
from sluicegate.exchange.errand import Errand, Plan
from sluicegate.exchange.fetching import Fetcher
from sluicegate.exchange.flights import Flights
from sluicegate.exchange.forward import Forwarder
from sluicegate.exchange.refreshing import Refresher
from sluicegate.exchange.sharing import Sharing
from sluicegate.exchange.spare import Spare
from sluicegate.exchange.stored import Stored
from sluicegate.exchange.telling import tell


class CachedForwarder:
    """Answers from the store where RFC 9111 allows it, through the forwarder otherwise."""

    def __init__(
        self,
        *,
        forwarder: Forwarder,
        store: CacheStore,
        rules: RuleSet,
        clock: Clock,
        events: EventSink,
        flights: Flights,
    ) -> None:
        self.rules = rules
        self.forwarder = forwarder
        self.store = store
        self.clock = clock
        self.events = events
        self.flights = flights
        self._stored = stored = Stored(store)
        self.fetcher = Fetcher(forwarder=forwarder, stored=stored, rules=rules, events=events, flights=flights)
        self.sharing = Sharing(fetcher=self.fetcher, stored=stored, clock=clock, events=events, flights=flights)
        self.refresher = Refresher(
            sharing=self.sharing, stored=stored, rules=rules, clock=clock, events=events, flights=flights
        )
        self._spare = Spare(
            sharing=self.sharing,
            fetcher=self.fetcher,
            stored=stored,
            refresher=self.refresher,
            clock=clock,
            events=events,
            flights=flights,
        )

    async def answer(self, call: Call, request: RequestHead, on_interim: OnInterim) -> Answer:
        """Answer `request` (end-to-end fields). Raises what the forwarder raises, and Offline."""
        key, options = self.rules.resolve(request)
        if options.offline:
            return await self._offline(call, request, key, options)
        if not (options.enabled and call.may_use_cache):
            return await self.pass_on(call, request, on_interim)
        call.ruled_key = options.ruled_key(key)
        entries = await self._stored.entries(key) if call.plain or policy.may_use_cache(request) else []
        found = policy.look_up(request, entries, options, self.clock.wall())
        match found:
            case Hit():
                if (answer := await self._hit(call, request, found)) is not None:
                    return answer
                plan: Plan = Forward(request, Reason.URI_MISS)
            case Refuse():
                return tell(self.events, call, found, found.head, BytesBody())
            case _:
                plan = found
        errand = Errand(call, request, key, options, on_interim)
        if len(entries) >= MAX_STORED:
            errand.crowded_out = crowded_out(entries)
        return await (self._spare if plan.spare else self.sharing).answer(errand, plan, entries)

    async def pass_on(self, call: Call, request: RequestHead, on_interim: OnInterim) -> Answer:
        """Forward past the cache. Raises what the forwarder raises, and Offline."""
        key, options = self.rules.resolve(request)
        if options.offline:
            raise Offline(request.origin.host)
        received = await self.forwarder.send(call, request, on_interim)
        plan, outcome = Forward(request, options.off), None
        if plan.reason is Reason.RULE_NEVER:
            outcome = PassOn(received.head, plan.reason)
        if outcome is not None and request.method not in SAFE_METHODS:
            try:
                await self.fetcher.invalidate(request, received.head, key)
            except BaseException:
                await received.body.aclose()
                raise
        return tell(self.events, call, plan, received.head, received.body, outcome=outcome, status=received.head.status)

    async def _hit(self, call: Call, request: RequestHead, hit: Hit) -> Answer | None:
        """The stored response; None when its body turns out to be gone."""
        body = await self._stored.body_of(hit, call.request.method)
        if body is None:
            return None
        if hit.reason in REFRESHING:
            self.refresher.begin(request, hit.entry)
        return tell(self.events, call, hit, hit.head, body)

    async def _offline(self, call: Call, request: RequestHead, key: str, options: CacheOptions) -> Answer:
        """What is stored, whatever its age. Nothing in here knows a way out."""
        if options.enabled and call.may_use_cache:
            call.ruled_key = options.ruled_key(key)
            found = policy.look_up(request, await self._stored.entries(key), options, self.clock.wall())
            if isinstance(found, Hit) and (answer := await self._hit(call, request, found)) is not None:
                return answer
        raise Offline(request.origin.host)
