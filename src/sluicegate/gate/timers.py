"""Many timers on one task: the clock sleeps until the earliest of them."""

import asyncio
import heapq
from collections.abc import Callable

from sluicegate.clock import Clock
from sluicegate.tasks import spawn

_TIDY_AT = 1_000
_FINEST_S = 0.001
"""Event loops count in milliseconds; a shorter sleep returns at once, again and again."""
_LONGEST_S = 3_600.0


class Timer:
    """A call that is due at a time and can be called off."""

    __slots__ = ("_at", "_callback", "_timers")

    def __init__(self, timers: "Timers", at: float, callback: Callable[[], None]) -> None:
        self._timers = timers
        self._at = at
        self._callback: Callable[[], None] | None = callback

    def __lt__(self, other: "Timer") -> bool:
        return self._at < other._at

    def cancel(self) -> None:
        """Call it off; idempotent, nothing once it has run."""
        if self._callback is not None:
            self._callback = None
            self._timers.called_off()

    @property
    def at(self) -> float:
        """When it is due (seconds on the clock's `now()`)."""
        return self._at

    @property
    def live(self) -> bool:
        """Neither run nor called off."""
        return self._callback is not None

    def run(self) -> None:
        """Make the call, once."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Timers:
    """Calls at given times of `clock`. Callbacks are short and never raise."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[Timer] = []
        self._dead = 0
        self._task: asyncio.Task[None] | None = None
        self._wakes_at = 0.0

    def call_at(self, at: float, callback: Callable[[], None]) -> Timer:
        """Have `callback` called at `at` (seconds on `now()`), or soon when that is past."""
        timer = Timer(self, at, callback)
        heapq.heappush(self._heap, timer)
        if self._task is None or at < self._wakes_at:
            self._restart()
        return timer

    def called_off(self) -> None:
        """A timer was cancelled; they are removed when there are many."""
        self._dead += 1
        if self._dead >= _TIDY_AT and self._dead * 2 >= len(self._heap):
            self._heap = [timer for timer in self._heap if timer.live]
            heapq.heapify(self._heap)
            self._dead = 0

    def close(self) -> None:
        """Call all of them off."""
        self._heap.clear()
        self._dead = 0
        self._stop()

    def _restart(self) -> None:
        self._stop()
        self._wakes_at = self._heap[0].at
        self._task = spawn(self._run(), name="gate-timers")

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            self._drop_dead()
            if not self._heap:
                break
            self._wakes_at = self._heap[0].at
            delay_s = self._wakes_at - self._clock.now()
            if delay_s > 0:
                await self._clock.sleep(min(max(delay_s, _FINEST_S), _LONGEST_S))
            while self._heap and self._heap[0].at <= self._clock.now():
                timer = heapq.heappop(self._heap)
                self._dead -= not timer.live
                timer.run()
        self._task = None

    def _drop_dead(self) -> None:
        while self._heap and not self._heap[0].live:
            heapq.heappop(self._heap)
            self._dead -= 1
