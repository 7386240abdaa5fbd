"""The decision: may a request leave now, and if not, when?

Two bounds hold together.

The **log** is exact. It holds the time of every permit. A rate of N in W is kept when the N-th newest permit is more
than W ago: then no interval of length W, open or closed, holds more than N. W is taken a little longer than written
(`GUARD`), because requests are counted where they arrive and not all take the same time to get there.

The **pace** spreads permits. It is a schedule: `due` is when the next permit is planned, one spacing after the last.
The schedule may lag behind the clock by a credit. A host that nobody asked for a while has a credit of a whole window,
which is its burst. While a queue stands the credit is `CATCH_UP_S`: enough to make up for a timer that fired late, so
that lateness does not add up, and too little for a burst; a schedule that lags further starts anew.

A rate of more than `LOG_MAX` keeps no log. Its schedule alone keeps it (GCRA with a burst of one): with a credit C and
permits planned S apart, N+1 permits span at least N·S - C, so S = (W + C) / N is enough.

A **block** is several permits reserved in one step, to be used before a lease of some milliseconds ends; it makes a fast
limit cheap to keep. Its permits are in the log from the reservation on, with the time of the lease's end: the latest
moment at which one may be used. No recorded time is earlier than the one before it. The log stays exact: of the sends in
an interval of length W take the one with the highest number k, admitted at t_k and sent at s_k >= t_k. Were there more
than N, one of them, j, would have a number of at most k-N. Its recorded time is not before its send, s_j >= s_k - W, nor
after the recorded time of number k-N; so number k-N was recorded at t_k - W or later, and k was not admitted. For a rate
kept by its schedule alone, a permit of a block is sent at most a lease before or after the time planned for it, so its
span is two leases longer. Unused permits may be taken back while they are the newest in the log: nothing was decided
above them. Inside a block permits are not paced: it holds a hundredth of each window, and lasts half a hundredth.

Times are seconds on one clock that never jumps. The caller keeps the log and the `State`; this module keeps nothing.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from sluicegate.core.limits.model import Limit, Rate
from sluicegate.core.limits.rates import format_rate

GUARD = 0.01
"""The part of a window that is added to it: what is lost of the rate, and how unevenly requests may travel."""
GUARD_MAX_S = 0.05
CATCH_UP_S = 0.02
LOG_MAX = 300_000
LEASE_MAX_S = 0.005
_LEASE_MIN_S = 0.0005
_LEASE_PARTS = 200
_BLOCK_PARTS = 100
"""The shares of a window that a lease may last, and of its permits that a block may hold."""
_ROUNDING = 1e-6
"""A schedule is a sum of spacings, which rounds; the last permit of a burst must not fail for that."""

type Nth = Callable[[int], float | None]
"""The time of the n-th newest permit (1 is the newest), or None when the log does not go back as far."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Admitted, or how long to wait and which rate says so."""

    wait_s: float = 0.0
    rate: Rate | None = None
    free: int = 0
    """So many more were free at that moment, at least: a hint, for others may take them."""
    at: float = math.inf
    """The time that the permit is recorded with: the request has to leave by then."""

    @property
    def admitted(self) -> bool:
        """A permit was given."""
        return self.rate is None


ADMITTED = Verdict()


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered of a key besides its log."""

    last: float = -math.inf
    """When the newest permit was given."""
    due: float = -math.inf
    """When the next one is planned."""

    def postponed(self, at: float, sent: float) -> "State":
        """The state after a request whose permit was recorded `at` a time left only at `sent`."""
        return State(max(self.last, sent), self.due + max(0.0, sent - at))


NEVER = State()
"""Of a key that has had no permit."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rate that the log keeps: the `count`-th newest permit must be at least `span_s` ago."""

    rate: Rate
    count: int
    span_s: float


@dataclass(frozen=True)
class Plan:
    """A limit made ready for deciding."""

    windows: tuple[Window, ...]
    pacer: Rate
    """The rate that sets the pace: the fastest one. A day's quota is no reason to go slowly while it lasts; when it is
    spent, its log says so. A rate that is kept by its schedule alone must pace, of course."""
    spacing_s: float
    idle_credit_s: float
    block: int = 1
    """The most permits that may be reserved at once."""
    lease_s: float = 0.0
    """How long reserved permits may be used."""

    @cached_property
    def looks(self) -> tuple[int, ...]:
        """Which of the newest permits `decide` and `free` look at: a store can fetch them in one go."""
        return tuple(sorted({n for window in self.windows for n in (window.count, (window.count + 1) // 2)}))

    @property
    def keep_s(self) -> float:
        """How long a permit matters to the log."""
        return max((window.span_s for window in self.windows), default=0.0)

    def due(self, state: State) -> float:
        """When the pace allows the next permit; a schedule made for a slower limit does not outlive it."""
        return min(state.due, state.last + self.spacing_s)

    def planned(self, state: State, now: float, *, queued: bool) -> float:
        """The place in the schedule of a permit given at `now`."""
        due = self.due(state)
        if queued:
            return due if now - due <= CATCH_UP_S else now
        return max(due, now - self.idle_credit_s)

    def after(self, state: State, now: float, *, queued: bool, count: int = 1) -> State:
        """The state once `count` permits were given at `now`. `last` is the time to record them with."""
        last = now if count == 1 else now + self.lease_s
        return State(max(last, state.last), self.planned(state, now, queued=queued) + count * self.spacing_s)


@lru_cache(maxsize=4096)
def plan(limit: Limit) -> Plan:
    """The plan that keeps `limit`, which has at least one rate."""
    lease_s = min(LEASE_MAX_S, *(rate.window_s / _LEASE_PARTS for rate in limit.rates))
    block = min(rate.count for rate in limit.rates) // _BLOCK_PARTS
    if block < 2 or lease_s < _LEASE_MIN_S:  # noqa: PLR2004 - a block of one is none
        block, lease_s = 1, 0.0
    paces = {rate: _span_s(rate, lease_s) / rate.count for rate in limit.rates}
    logged = [rate for rate in limit.rates if not _scheduled(rate)]
    scheduled = [rate for rate in limit.rates if _scheduled(rate)]
    fastest = min(logged, key=paces.__getitem__, default=None)
    pacer = max([*scheduled, *([fastest] if fastest is not None else [])], key=paces.__getitem__)
    burst = 1 if scheduled else limit.burst or pacer.count
    return Plan(
        windows=tuple(Window(rate, rate.count, _span_s(rate, lease_s)) for rate in logged),
        pacer=pacer,
        spacing_s=paces[pacer],
        idle_credit_s=(burst - 1) * paces[pacer] * (1 + _ROUNDING),
        block=block,
        lease_s=lease_s,
    )


def _scheduled(rate: Rate) -> bool:
    return rate.count > LOG_MAX


def _span_s(rate: Rate, lease_s: float) -> float:
    span_s = rate.window_s + min(rate.window_s * GUARD, GUARD_MAX_S)
    return span_s + CATCH_UP_S + 2 * lease_s if _scheduled(rate) else span_s


def decide(plan: Plan, nth: Nth, state: State, now: float) -> Verdict:
    """Whether a permit may be given at `now`. The caller then keeps `plan.after(...)` and logs its `last`."""
    ready, rate = plan.due(state), plan.pacer
    for window in plan.windows:
        oldest = nth(window.count)
        if oldest is not None and oldest + window.span_s > ready:
            ready, rate = oldest + window.span_s, window.rate
    return ADMITTED if ready <= now else Verdict(ready - now, rate)


def free(plan: Plan, nth: Nth, state: State, now: float, *, queued: bool) -> int:
    """How many permits are free at `now`, the one that was just admitted included; at least, as it looks only once.

    Of a window that is at least half empty that half is counted, of others nothing more.
    """
    return min(_paced(plan, state, now, queued=queued), *(_half(window, nth, now) for window in plan.windows), LOG_MAX)


def fits(plan: Plan, nth: Nth, state: State, now: float, count: int, *, queued: bool) -> bool:
    """Whether `count` permits may be reserved at `now`, where one was admitted."""
    return count <= _paced(plan, state, now, queued=queued) and all(
        count <= window.count and _expired(window, nth(window.count - count + 1), now) for window in plan.windows
    )


def _paced(plan: Plan, state: State, now: float, *, queued: bool) -> int:
    """How many the schedule allows: those due, and, unless a queue stands, those due before a lease ends."""
    if not plan.spacing_s:
        return LOG_MAX
    until = now if queued else now + plan.lease_s
    return 1 + max(0, int((until - plan.planned(state, now, queued=queued)) / plan.spacing_s))


def _half(window: Window, nth: Nth, now: float) -> int:
    middle = (window.count + 1) // 2
    return window.count - middle + 1 if _expired(window, nth(middle), now) else 1


def _expired(window: Window, at: float | None, now: float) -> bool:
    return at is None or at + window.span_s <= now


def predict(plan: Plan, nth: Nth, state: State, now: float, ahead: int) -> float:
    """How long a request waits that has `ahead` others before it, all of them ready to leave (seconds, 0: not at all).

    Those that a burst lets through go at once; from the first that has to wait, and from each that a full log holds up,
    the rest follow one spacing apart. Never more than the real wait, so that nobody is turned away for nothing.
    """
    start = max(plan.due(state), now - plan.idle_credit_s)

    def ready(place: int) -> float:
        return max(
            start + place * plan.spacing_s,
            *(_log_ready(window, nth, now, place) for window in plan.windows),
            now,
        )

    if ready(ahead) <= now:
        return 0.0
    first = 0 if ready(0) > now else bisect_right(range(ahead + 1), now, key=ready)
    held = {first, ahead, *(max(first, ahead - ahead % window.count) for window in plan.windows)}
    return max(ready(place) + (ahead - place) * plan.spacing_s for place in held) - now


def _log_ready(window: Window, nth: Nth, now: float, place: int) -> float:
    """When the log has room for the request at `place`, if those before it leave as early as they can."""
    rounds, rest = divmod(place, window.count)
    blocking = nth(window.count - rest)
    first = now if blocking is None else max(now, blocking + window.span_s)
    return first + rounds * window.span_s


def algorithm(limit: Limit) -> str:
    """How the limit is kept: `none`, `sliding-window-log`, `gcra`, or both joined by `+`."""
    if limit.unlimited:
        return "none"
    names = {"gcra" if _scheduled(rate) else "sliding-window-log" for rate in limit.rates}
    return "+".join(sorted(names, reverse=True))


def explain(limit: Limit) -> str:
    """The same in a sentence, for `sluicegate check`."""
    if limit.unlimited:
        return "No rate applies; only concurrency bounds the requests under way."
    made = plan(limit)
    pace = f"one request every {made.spacing_s:.4g} s while a queue stands, as {format_rate(made.pacer)} asks"
    if any(map(_scheduled, limit.rates)):
        return (
            f"A rate of more than {LOG_MAX} keeps no log of every request; it is kept by spacing alone (GCRA with a "
            f"burst of 1): {pace}, and no burst when idle."
        )
    burst = min([limit.burst or made.pacer.count, *(window.count for window in made.windows)])
    return f"An exact log of requests; a burst of up to {burst} when idle, {pace}."
