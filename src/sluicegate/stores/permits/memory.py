"""Permits counted in this process only: gone when it ends, not shared with others."""

from array import array
from collections import OrderedDict
from dataclasses import dataclass, field

from sluicegate.clock import Clock
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.window import ADMITTED, Plan, State, Verdict, decide, free, plan, predict

_SWEEP = 2
_SHRINK_AT = 1_024


@dataclass(slots=True)
class _Log:
    """A key's permit times, oldest first; those before `start` have expired and await removal in one go."""

    times: "array[float]" = field(default_factory=lambda: array("d"))
    start: int = 0
    state: State = field(default_factory=State)
    keep_s: float = 0.0

    def nth(self, n: int) -> float | None:
        index = len(self.times) - n
        return self.times[index] if index >= self.start else None

    def record(self, made: Plan, now: float, *, queued: bool) -> None:
        self.state = made.after(self.state, now, queued=queued)
        self.keep_s = max(self.keep_s, made.keep_s)
        if self.keep_s > 0:
            self.times.append(now)
        self._forget(now - self.keep_s)

    def postpone(self, at: float, sent: float) -> None:
        """Let what was recorded since `at` count as of `sent`."""
        index = len(self.times)
        while index > self.start and at <= self.times[index - 1]:
            index -= 1
            self.times[index] = max(self.times[index], sent)
        self.state = self.state.postponed(at, sent)

    def _forget(self, before: float) -> None:
        while self.start < len(self.times) and self.times[self.start] < before:
            self.start += 1
        if self.start >= _SHRINK_AT and self.start * 2 >= len(self.times):
            del self.times[: self.start]
            self.start = 0

    def spent(self, now: float) -> bool:
        """Nothing in it matters any more: a key that comes back starts anew."""
        return self.state.last + self.keep_s < now and self.state.due + self.keep_s < now


class MemoryPermitStore:
    """A PermitStore in this process's memory. Idle keys are forgotten as others are used."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._logs: OrderedDict[str, _Log] = OrderedDict()

    async def take(self, key: str, limit: Limit, *, queued: bool) -> Verdict:
        return self.take_now(key, limit, queued=queued)

    def take_now(self, key: str, limit: Limit, *, queued: bool) -> Verdict:
        if limit.unlimited:
            return ADMITTED
        made, now = plan(limit), self._clock.now()
        log = self._logs.get(key) or _Log()
        verdict = decide(made, log.nth, log.state, now)
        if verdict.admitted:
            verdict = Verdict(free=free(made, log.nth, log.state, now, queued=queued) - 1, at=now)
            log.record(made, now, queued=queued)
            self._logs[key] = log
            self._sweep(now)
        return verdict

    def postpone(self, key: str, at: float, sent: float) -> None:
        if (log := self._logs.get(key)) is not None:
            log.postpone(at, sent)

    async def predict(self, key: str, limit: Limit, ahead: int) -> float:
        if limit.unlimited:
            return 0.0
        log = self._logs.get(key) or _Log()
        return predict(plan(limit), log.nth, log.state, self._clock.now(), ahead)

    async def aclose(self) -> None:
        self._logs.clear()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._logs)

    def _sweep(self, now: float) -> None:
        for _ in range(min(_SWEEP, len(self._logs))):
            key, log = self._logs.popitem(last=False)
            if not log.spent(now):
                self._logs[key] = log
