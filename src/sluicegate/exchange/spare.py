"""Something stale in hand: used where the origin fails or is slow, or the limiter refuses or would take too long.

A request comes here when something is stored that may do instead (`plan.spare`). What exactly, and whether it still is
there, is looked up when it is needed: it may have been refreshed, or invalidated, meanwhile.

The client waits for the origin for `answer_after_s` from when its request came. What the limiter holds up is not the
origin's fault, and it is given `GRACE_S` of its own after that; but where it lets others wait without an answer, waiting
at the limiter is waiting for the origin, which holds the slots. Then the stale answer is given, and who asked the origin
goes on in the background.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from sluicegate.clock import Clock
from sluicegate.core.caching import policy
from sluicegate.core.caching.decisions import Hit
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.stale import REFRESHING, Occasion
from sluicegate.core.http import Origin, ResponseHead
from sluicegate.core.ports import BodyReader, EventSink, OnInterim
from sluicegate.errors import LimitError, UpstreamError
from sluicegate.exchange.call import Answer, Call
from sluicegate.exchange.errand import Errand, Plan
from sluicegate.exchange.fetching import Fetcher, OriginFailed
from sluicegate.exchange.flights import Flights
from sluicegate.exchange.refreshing import Refresher
from sluicegate.exchange.sharing import Sharing
from sluicegate.exchange.stored import Stored
from sluicegate.exchange.telling import hit_word, tell
from sluicegate.gate.gate import Pace
from sluicegate.tasks import spawn

GRACE_S = 2.0
"""What the origin has of its own, however long the limiter took (seconds)."""
LOOK_AGAIN_S = 1.0
"""How often a client that waits at the limiter, its time over, is looked after (seconds)."""


class Spare:
    """Goes to the origin with something stored in hand."""

    def __init__(
        self,
        *,
        sharing: Sharing,
        fetcher: Fetcher,
        stored: Stored,
        refresher: Refresher,
        clock: Clock,
        events: EventSink,
        flights: Flights,
    ) -> None:
        self._sharing = sharing
        self._fetcher = fetcher
        self._stored = stored
        self._refresher = refresher
        self._clock = clock
        self._events = events
        self._background = flights.background

    async def answer(self, errand: Errand, plan: Plan, entries: list[StoredEntry]) -> Answer:
        """The origin's answer, or the stored one. Raises what the forwarder raises where neither is to be had."""
        options = errand.options.stale
        if options.queue_s is not None and (answer := await self._rather_than_queue(errand, plan, options.queue_s)):
            return answer
        try:
            if options.answer_after_s is None or errand.call.body is not None:
                return await self._sharing.answer(errand, plan, entries)
            return await self._in_time(errand, plan, entries, options.answer_after_s)
        except LimitError:
            if (answer := await self._instead(errand, plan, Occasion.LIMITED)) is None:
                raise
        except UpstreamError:
            if (answer := await self._instead(errand, plan, Occasion.UNREACHABLE)) is None:
                raise
        except OriginFailed as failure:
            answer = await self._instead(errand, plan, Occasion.ERROR, failure.status)
            if answer is None:
                return await self._fetcher.fetch(errand, replace(plan, spare=False))
        return answer

    async def _rather_than_queue(self, errand: Errand, plan: Plan, longest_s: float) -> Answer | None:
        if await self._fetcher.forwarder.foresee(errand.request) <= longest_s:
            return None
        return await self._instead(errand, plan, Occasion.QUEUE)

    async def _instead(
        self, errand: Errand, plan: Plan, occasion: Occasion, status: int | None = None
    ) -> Answer | None:
        found = await self._find(errand, occasion)
        return None if found is None else self._told(errand, plan, occasion, found, status)

    async def _find(self, errand: Errand, occasion: Occasion) -> tuple[Hit, BodyReader] | None:
        entries = await self._stored.entries(errand.key)
        hit = policy.instead(errand.request, entries, occasion, errand.options, self._clock.wall())
        if hit is None:
            return None
        body = await self._stored.body_of(hit, errand.call.request.method)
        return None if body is None else (hit, body)

    def _told(
        self, errand: Errand, plan: Plan, occasion: Occasion, found: tuple[Hit, BodyReader], status: int | None = None
    ) -> Answer:
        hit, body = found
        if hit.reason in REFRESHING:
            self._refresher.begin(errand.request, hit.entry)
        stayed_here = occasion in {Occasion.LIMITED, Occasion.QUEUE} or hit_word(hit.reason) == "hit"
        if stayed_here:
            return tell(self._events, errand.call, hit, hit.head, body)
        return tell(self._events, errand.call, plan, hit.head, body, status=status, instead=hit)

    async def _in_time(self, errand: Errand, plan: Plan, entries: list[StoredEntry], patience_s: float) -> Answer:
        """The origin's answer, if it comes before the client has waited for too long."""
        began = self._clock.now()
        call = replace(errand.call, pace=Pace(began))
        interim = _Interim(errand.on_interim)
        going = replace(errand, call=call, on_interim=interim.pass_on, lasting=True)
        coming = self._sharing.answer(going, plan, entries)
        task: asyncio.Task[Answer] = asyncio.Task(coming, loop=asyncio.get_running_loop(), eager_start=True)
        try:
            due = began + patience_s
            while not task.done():
                await self._until(due, task)
                if task.done() or (due := self._due(going, began + patience_s, patience_s)) > self._clock.now():
                    continue
                found = await self._find(errand, Occasion.SLOW)
                if found is None:
                    due = float("inf")
                elif task.done():
                    await found[1].aclose()
                else:
                    interim.closed = True
                    self._hand_over(going, task)
                    return self._told(errand, plan, Occasion.SLOW, found)
            return task.result()
        except BaseException:
            await _give_up(task)  # who leaves in the moment that the answer comes has not had it
            raise
        finally:
            if task.done():
                _learn(errand.call, call)
            del task  # its error knows this frame: to forget it breaks the circle

    async def _until(self, due: float, task: asyncio.Task[Answer]) -> None:
        """Return once the task is done, or it is time to look."""
        wake = asyncio.get_running_loop().create_future()

        def rouse(_done: object = None) -> None:
            if not wake.done():
                wake.set_result(None)

        timer = None if due == float("inf") else self._background.timers.call_at(due, rouse)
        task.add_done_callback(rouse)
        try:
            await wake
        finally:
            task.remove_done_callback(rouse)
            if timer is not None:
                timer.cancel()

    def _due(self, going: Errand, deadline: float, patience_s: float) -> float:
        """When the client's patience ends, as it looks now."""
        now, pace = self._clock.now(), going.call.pace
        if pace is None or now < deadline:
            return deadline
        if pace.since is None:
            return now if self._background.silent[going.request.origin] else now + LOOK_AGAIN_S
        return max(deadline, pace.since + min(patience_s, GRACE_S))

    def _hand_over(self, going: Errand, task: asyncio.Task[Answer]) -> None:
        """Who asks the origin goes on for the store; who waits for another has no more reason to."""
        going.call.background = True
        name = f"{going.key} {going.call.request_id}"
        if not (going.leads and self._background.start(name, lambda: self._see_out(going, task))):
            spawn(_give_up(task), name="request that nobody waits for")

    async def _see_out(self, going: Errand, task: asyncio.Task[Answer]) -> bool:
        return await self._refresher.see_out(going.call, self._awaited(going.request.origin, task))

    async def _awaited(self, origin: Origin, task: asyncio.Task[Answer]) -> Answer:
        """The answer; until it comes, its origin is known to be silent."""
        silent = self._background.silent
        silent[origin] += 1
        try:
            return await task
        except BaseException:
            await _give_up(task)
            raise
        finally:
            silent[origin] -= 1
            if not silent[origin]:
                del silent[origin]


class _Interim:
    """Passes 1xx responses on until the client has its final one."""

    def __init__(self, on_interim: OnInterim) -> None:
        self.closed = False
        self._on_interim = on_interim

    async def pass_on(self, head: ResponseHead) -> None:
        if not self.closed:
            await self._on_interim(head)


def _learn(call: Call, own: Call) -> None:
    """What became of the request, for the client's access line."""
    call.cache, call.reason, call.stored = own.cache, own.reason, own.stored
    call.limit_key, call.wait_s, call.error = own.limit_key, own.wait_s, own.error


async def _give_up(task: asyncio.Task[Answer]) -> None:
    """Nobody waits for the answer any more; returns when nothing is held."""
    task.cancel()
    results: Sequence[Answer | BaseException] = await asyncio.gather(task, return_exceptions=True)
    for result in results:
        if isinstance(result, Answer):
            await result.body.aclose()
