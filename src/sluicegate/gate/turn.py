"""A request's way through the gate: past the door, into a slot, through the line for a permit, and out."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from sluicegate.clock import Clock
from sluicegate.core.events import Abandoned, Permitted, Rejected
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.ports import PermitStore
from sluicegate.core.limits.window import Verdict
from sluicegate.core.ports import EventSink
from sluicegate.errors import LimitError, PermitStoreBusy, PermitStoreError
from sluicegate.gate import refusals
from sluicegate.gate.host import Host
from sluicegate.gate.slots import Place, Slots, Waiting
from sluicegate.gate.timers import Timers
from sluicegate.tasks import spawn

BUSY_RETRY_S = 0.002
FAILED_RETRY_S = 0.1
LATE_S = 0.001
"""How late a request may leave after its permit without that being recorded; the windows are longer by more than that."""
_POSTPONE_TRIES = 500
STORE_PATIENCE_S = 3.0
"""How long a store may fail before waiting requests are refused."""
HINT_S = 1.0
"""How long it is believed that permits are free which once were; only refusals in advance depend on it."""
IDLE_HOSTS = 4_000
"""As many hosts are remembered while nobody asks for them."""


@dataclass(slots=True)
class Pace:
    """What a request waits for: the limiter, or else connection and answer."""

    since: float | None
    """Since when the limiter has not held it up (`Clock.now`); None while it does."""


@dataclass(slots=True)
class Ask:
    """Who asks for what."""

    request_id: str
    host: str
    client: str = ""
    pace: "Pace | None" = None
    """Kept up to date, if the caller wants to know."""


@dataclass(slots=True)
class Desk:
    """What all turns of a gate share."""

    store: PermitStore
    clock: Clock
    events: EventSink
    timers: Timers
    slots: Slots
    hosts: dict[str, Host[Waiting]] = field(default_factory=dict)
    failing_since: float | None = None
    """When the store began to fail; None while it answers."""
    closed: bool = False


class Turn:
    """A place at the gate, held until `leave`.

    `permit` may be called more than once: each call is one more request sent. A turn whose `permit` raised has left.
    """

    __slots__ = (
        "_ask",
        "_desk",
        "_permitted",
        "_recorded_at",
        "_roused",
        "_wake",
        "entered",
        "host",
        "place",
        "waited_s",
    )

    def __init__(self, ask: Ask, host: Host[Waiting], desk: Desk) -> None:
        self.host = host
        self.place = Place.OUTSIDE
        self.waited_s = 0.0
        """Seconds spent waiting, for slots and permits."""
        self._ask = ask
        self._desk = desk
        self.entered = desk.clock.now()
        """When it came to the gate."""
        self._permitted = False
        self._recorded_at = math.inf
        self._roused = False
        self._wake: asyncio.Future[None] | None = None
        host.present += 1
        host.unpermitted += 1

    @property
    def limit(self) -> Limit:
        """The limit it stands under, as it is now."""
        return self.host.limit

    @property
    def key(self) -> str:
        """What its permits are counted under."""
        return self.host.key

    def enter_now(self) -> bool:
        """Enter where nothing stands in the way; if False, go on with `enter`."""
        host = self.host
        if host.queue or not (host.limit.unlimited or self._surely_free()):
            return False
        self._desk.slots.join(self)
        return self.place is Place.INSIDE

    async def enter(self) -> None:
        """Wait for a slot of the host and a global one. Raises LimitError. If it ends otherwise, nothing is held."""
        try:
            await self._door()
            while self.place is not Place.INSIDE:
                if self._overdue():
                    raise refusals.wait_too_long(self.key, self.limit, await self._predict(0))
                await self._pause(self._deadline)
        except BaseException as error:
            self._give_up(error)
            raise

    def permit_now(self) -> bool:
        """`permit` where it is to be had at once; False, and nothing is spent or told, where it is not: then ask `permit`."""
        host, desk = self.host, self._desk
        if host.line or desk.closed:
            return False
        if host.limit.unlimited:
            self._count()
            return True
        try:
            verdict = desk.store.take_now(host.key, host.limit, queued=False)
        except PermitStoreError:
            return False
        if verdict is None:
            return False
        desk.failing_since = None
        if not verdict.admitted:
            host.free = 0
            return False
        self._admitted(verdict, desk.clock.now())
        self._count()
        self._tell_permitted()
        return True

    async def permit(self, *, unless: Callable[[], bool] = lambda: False) -> bool:
        """Wait until the limit lets one more request go; send it before anything else is awaited.

        False, with nothing spent, when `unless` says so at the moment the permit is due: the connection it was meant
        for has died, say. Then ask again.
        Where no rate applies there is nothing to wait for, and nothing to tell.
        Raises WaitTooLong once it is known that `max_wait` (since `enter`) will not do, LimiterUnavailable when the
        store fails for some seconds. If it ends otherwise than by returning, nothing is spent and nothing is held.
        """
        host = self.host
        if host.limit.unlimited and not host.line:
            if unless():
                return False
            self._count()
            return True
        self._roused = False
        host.line.push(self)
        try:
            if not await self._line(unless):
                return False
            self._count()
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            host.line.discard(self)
            if host.line:
                host.line.first().rouse()
            self._desk.slots.assign(host)
        self._tell_permitted()
        return True

    def sent(self) -> None:
        """The request has just been written. A permit counts from then on, if something held the process up meanwhile."""
        at, self._recorded_at = self._recorded_at, math.inf
        if at == math.inf:
            return
        now = self._desk.clock.now()
        if now - at > LATE_S and not self._postpone(at, now):
            spawn(self._keep_postponing(at, now), name="late request")

    def _postpone(self, at: float, sent: float) -> bool:
        """Correct the record; False while another process holds it."""
        try:
            self._desk.store.postpone(self.key, at, sent)
        except PermitStoreBusy:
            return False
        except PermitStoreError:
            pass  # whoever wants the next permit is told of it
        return True

    async def _keep_postponing(self, at: float, sent: float) -> None:
        for _ in range(_POSTPONE_TRIES):
            await self._desk.clock.sleep(BUSY_RETRY_S)
            if self._postpone(at, sent):
                return

    def leave(self) -> None:
        """Give back what is held and let the next one in; idempotent."""
        if self.place is Place.GONE:
            return
        if not self._permitted:
            self._count()
        self._desk.slots.leave(self)
        self.host.present -= 1
        if not self.host.present and len(self._desk.hosts) > IDLE_HOSTS:
            self._desk.hosts.pop(self.key, None)

    def rouse(self) -> None:
        """Look again: something has changed."""
        self._roused = True
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _door(self) -> None:
        """Refuse what can be foreseen, then take the slots or a place in the queue for them."""
        host = self.host
        wait_s = await self._predict(host.unpermitted - 1) if self.place is Place.OUTSIDE else 0.0
        limit = host.limit
        if wait_s > limit.max_wait_s and host.waiting < limit.max_queue:
            raise refusals.wait_too_long(self.key, limit, wait_s)
        if self.place is Place.OUTSIDE and (wait_s <= 0 or host.waiting < limit.max_queue):
            self._desk.slots.join(self)
        if self.place is not Place.INSIDE and host.waiting >= limit.max_queue:
            raise refusals.queue_full(self.key, limit, wait_s)

    def _surely_free(self) -> bool:
        """As far as is known, there is a permit for this one and for all who are on their way to one."""
        host = self.host
        return host.free >= host.unpermitted and self.entered < host.free_until and not host.line

    async def _line(self, unless: Callable[[], bool]) -> bool:
        """Be first, and ask the store until it agrees. Nothing is awaited after that."""
        queued = False
        while not self.limit.unlimited:
            if self.host.line.first() is self:
                if unless():
                    return False
                verdict = await self._take(queued=queued or len(self.host.line) > 1)
                now = self._desk.clock.now()
                if verdict.admitted:
                    self._admitted(verdict, now)
                    return True
                self.host.free = 0
                if now + verdict.wait_s > self._deadline:
                    raise refusals.wait_too_long(self.key, self.limit, verdict.wait_s)
                await self._pause(now + verdict.wait_s)
            elif self._overdue():
                raise refusals.wait_too_long(self.key, self.limit, await self._predict(0))
            else:
                await self._pause(self._deadline)
            queued = True
        return not unless()

    def _admitted(self, verdict: Verdict, now: float) -> None:
        """Note when the permit counts, and how many more are free."""
        self._recorded_at = verdict.at
        host = self.host
        host.free -= 1
        if verdict.free > host.free:
            host.free, host.free_until = verdict.free, now + HINT_S

    def _tell_permitted(self) -> None:
        ask, host = self._ask, self.host
        self._desk.events.emit(
            Permitted(ask.request_id, ask.host, self.key, self.waited_s, host.waiting, host.in_flight)
        )

    async def _take(self, *, queued: bool) -> Verdict:
        """The store's answer; a store that fails is asked again for a while (fail closed: no answer, no permit)."""
        desk = self._desk
        began: float | None = None
        while True:
            try:
                verdict = await desk.store.take(self.key, self.limit, queued=queued)
            except PermitStoreError as error:
                now = desk.clock.now()
                began = now if began is None else began
                desk.failing_since = began if desk.failing_since is None else desk.failing_since
                if now > min(desk.failing_since, began) + STORE_PATIENCE_S:
                    raise refusals.store_unavailable(self.limit, error) from error
                await self._pause(now + (BUSY_RETRY_S if isinstance(error, PermitStoreBusy) else FAILED_RETRY_S))
            else:
                desk.failing_since = None
                return verdict

    async def _predict(self, ahead: int) -> float:
        """The wait behind `ahead` others (seconds). A store that fails is dealt with where a permit is needed."""
        if self.limit.unlimited:
            return 0.0
        try:
            return await self._desk.store.predict(self.key, self.limit, ahead)
        except PermitStoreError:
            return 0.0

    async def _pause(self, until: float) -> None:
        """Wait to be roused, and no longer than `until`."""
        if self._desk.closed:
            raise refusals.stopping(self.limit)
        if not self._roused:
            await self._sleep(until)
        self._roused = False

    async def _sleep(self, until: float) -> None:
        self._wake = asyncio.get_running_loop().create_future()
        timer = self._desk.timers.call_at(until, self.rouse)
        began = self._desk.clock.now()
        self.host.waiting += 1
        pace = self._ask.pace
        if pace is not None:
            pace.since = None
        try:
            await self._wake
        finally:
            if pace is not None:
                pace.since = self._desk.clock.now()
            timer.cancel()
            self._wake = None
            self.host.waiting -= 1
            self.waited_s += self._desk.clock.now() - began

    @property
    def _deadline(self) -> float:
        return self.entered + self.limit.max_wait_s

    def _overdue(self) -> bool:
        return self._desk.clock.now() >= self._deadline

    def _count(self) -> None:
        if not self._permitted:
            self._permitted = True
            self.host.unpermitted -= 1
            if self.place in (Place.LOBBY, Place.INSIDE):
                self.host.arriving -= 1

    def _give_up(self, error: BaseException) -> None:
        """Leave before being served, and tell why."""
        self.leave()
        ask = self._ask
        if isinstance(error, LimitError):
            why = refusals.reason(error)
            retry_after_s = error.retry_after_s
            self._desk.events.emit(Rejected(ask.request_id, ask.host, self.key, why, retry_after_s, self.host.waiting))
        elif isinstance(error, asyncio.CancelledError):
            self._desk.events.emit(Abandoned(ask.request_id, ask.host, self.key, self.waited_s))
