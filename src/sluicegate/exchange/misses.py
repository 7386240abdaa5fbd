"""Misses that wait for nothing: sent in the call that brought the request, answered in the call that brings the response.

That is the common miss: certainly nothing is stored and nobody asks for the same, the gate is open, a connection is idle,
and the first read brings all of the response. There is no task and nothing awaited, from the client's socket to the
origin's and back, and the client is told what the long way (`cached`) would tell it.

Whatever else happens goes the long way: from its beginning, as long as nothing was sent; after that from there on, with
what was sent, its place at the gate and the flight that it leads. Failures are of that kind too.
"""

import asyncio
import logging
from collections.abc import Callable

from sluicegate.core.caching import collapsing, policy
from sluicegate.core.caching.decisions import CacheOptions, Forward, PassOn, Store
from sluicegate.core.caching.fields.integrity import claim
from sluicegate.core.http import RequestHead
from sluicegate.core.ports import OnInterim
from sluicegate.exchange.bodies import BytesBody
from sluicegate.exchange.cached import CachedForwarder
from sluicegate.exchange.call import Answer, Call
from sluicegate.exchange.errand import Errand
from sluicegate.exchange.flights import Flight, keep_whole
from sluicegate.exchange.hits import Nothing
from sluicegate.exchange.integrity import checked
from sluicegate.exchange.sent import Received, Sent
from sluicegate.exchange.telling import tell
from sluicegate.tasks import begin

_logger = logging.getLogger(__name__)

type OnDone = Callable[[Answer | None], None]
"""Told the answer; None: wait for it with `Begun.go_on`."""


class Misses:
    """Sends on what need not wait."""

    def __init__(self, cached: CachedForwarder) -> None:
        """`cached` is the long way; what it stands on is used here too."""
        self.cached = cached
        self.rules = cached.rules
        self.forwarder = cached.forwarder
        self.store = cached.store
        self.events = cached.events
        self._flights = cached.flights

    def begin(self, call: Call, request: RequestHead, done: OnDone) -> "Begun | None":
        """Send `request` (end-to-end fields of a plain call) at once; None, and nothing has happened, if that cannot be.

        Raises RequestError; then nothing has happened either.
        """
        resolved = call.nothing or self._nothing(request)
        if resolved is None or resolved[1].offline:
            return None
        key, options = resolved
        plan = policy.plain_miss(request)
        flights = self._flights
        name = collapsing.flight_name(key, request, plan, [], options) if flights.collapse else None
        if name is not None and flights.get(name) is not None:
            return None
        call.ruled_key = options.ruled_key(key)
        begun = Begun(self, call, plan, resolved, done)
        begun.moment = self.store.moment(key)
        begun.sent = self.forwarder.send_now(call, plan.request, begun.look)
        if begun.sent is None:
            return None
        if name is not None:
            begun.flight = flights.begin(name, key)
        return begun

    def _nothing(self, request: RequestHead) -> Nothing | None:
        """The key and the options, where certainly nothing is stored and the cache is asked at all."""
        resolved = self.rules.resolve(request)
        return resolved if resolved[1].enabled and self.store.recall(resolved[0]) == [] else None


class Begun:
    """A miss that was sent. It ends when `done` is called with an answer, with `go_on`, or with `abandon`."""

    __slots__ = (
        "_answer",
        "_call",
        "_done",
        "_failure",
        "_key",
        "_misses",
        "_options",
        "_plan",
        "flight",
        "moment",
        "sent",
    )

    def __init__(
        self, misses: Misses, call: Call, plan: Forward, resolved: tuple[str, CacheOptions], done: OnDone
    ) -> None:
        self.sent: Sent | None = None
        self.flight: Flight | None = None
        """Those who wait for the same, if they may."""
        self.moment: int | None = None
        """The store's, when the request was sent."""
        self._misses = misses
        self._call = call
        self._plan = plan
        self._key, self._options = resolved
        self._done = done
        self._answer: Answer | None = None
        self._failure: BaseException | None = None

    def look(self) -> None:
        """Something has come of it: answer, if that is all there is to do."""
        storing = None
        try:
            if self.sent is not None and (received := self._misses.forwarder.received_now(self._call, self.sent)):
                storing = self._judge(received)
        except Exception as error:
            self._failure = error
        if storing is None or storing.done():
            self._end(storing)
        else:
            storing.add_done_callback(self._end)

    async def go_on(self, on_interim: OnInterim) -> Answer:
        """Wait for the answer. Raises what the long way raises; then nothing is held any more."""
        if self._failure is not None:
            self._give_up()
            if self.flight is not None and isinstance(self._failure, Exception):
                self.flight.fail(self._failure)
            raise self._failure
        self._call.sent = self.sent
        cached = self._misses.cached
        errand = Errand(self._call, self._plan.request, self._key, self._options, on_interim, moment=self.moment)
        if self.flight is None:
            return await cached.fetcher.fetch(errand, self._plan)
        return await cached.sharing.lead(errand, self._plan, self.flight)

    def abandon(self) -> None:
        """Nobody waits for the answer any more; `done` is not called."""
        self._done = _ignore
        self._give_up()
        if self.flight is not None:
            self.flight.leave()

    def _give_up(self) -> None:
        if self.sent is not None:
            self.sent.abandon()

    def _judge(self, received: Received) -> "asyncio.Task[None] | None":
        """Make the answer, unless it is for the long way; what stores it, if it is stored."""
        misses, flight = self._misses, self.flight
        outcome = policy.judge(
            self._plan,
            received.head,
            self._options,
            request_time=received.request_time,
            response_time=received.response_time,
        )
        body = received.body
        if not isinstance(body, BytesBody) or not isinstance(outcome, PassOn | Store) or outcome.remove:
            return None
        told: PassOn | Store | None = outcome
        storing = None
        if isinstance(outcome, Store):
            if flight is not None and flight.followed:
                return None
            if self._stored_now(outcome, body):
                flight = None  # it has ended
            elif (storing := self._storing(outcome, body)) is None:
                told = None
        if storing is None and flight is not None:
            flight.scatter()
        self._answer = tell(
            misses.events, self._call, self._plan, outcome.head, body, outcome=told, status=received.head.status
        )
        return storing

    def _stored_now(self, outcome: Store, body: BytesBody) -> bool:
        """Whether it is stored already, for which nothing had to be waited for."""
        flight, content = self.flight, body.content
        if (flight is not None and flight.outdated) or body.length not in (None, len(content)) or claim(outcome.head):
            return False
        stored = self._misses.store.keep_now(self._key, outcome.entry, content, self.moment)
        if stored and flight is not None:
            flight.stored()
        return stored

    def _storing(self, outcome: Store, body: BytesBody) -> "asyncio.Task[None] | None":
        """What stores it; None if it cannot be."""
        misses = self._misses
        writer = misses.store.begin(self._key, outcome.entry, body.length, self.moment)
        if writer is None:
            return None
        writer = checked(writer, outcome.head, self._call.request.url, misses.events)
        return begin(keep_whole(body.content, writer, self.flight))

    def _end(self, storing: "asyncio.Task[None] | None") -> None:
        """Say what has become of it."""
        if storing is not None and not storing.cancelled():
            self._failure = storing.exception() or self._failure
        # Whoever is told knows us, too: to forget him breaks the circle.
        done, self._done = self._done, _ignore
        try:
            done(None if self._failure is not None else self._answer)
        except Exception:
            _logger.exception("exchange %s could not be ended", self._call.request_id)


def _ignore(_answer: Answer | None) -> None:
    """Nobody waits."""
