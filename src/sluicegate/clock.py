"""The clock, as an argument: one real, one in a test's hand.

`Clock.now()` counts seconds since boot and never jumps; it is the same for all processes of a boot (CLOCK_BOOTTIME).
`Clock.wall()` is Unix time in seconds, which HTTP dates and ages are told in.
"""

import asyncio
import heapq
import time
from functools import partial
from typing import Protocol


class Clock(Protocol):
    """What time it is, and a way to wait for it."""

    def now(self) -> float:
        """Seconds since boot, never going back."""

    def wall(self) -> float:
        """Unix time in seconds."""

    async def sleep(self, delay_s: float) -> None:
        """Wait for `delay_s` seconds of `now()`."""


_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", None)


class SystemClock:
    """The machine's clock."""

    # Functions of the interpreter itself: each request reads the clock several times.
    now = staticmethod(time.monotonic if _BOOTTIME is None else partial(time.clock_gettime, _BOOTTIME))
    wall = staticmethod(time.time)

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)


class ManualClock:
    """A clock that moves when a test says so, and wakes whoever sleeps on it."""

    def __init__(self, now: float = 1_000.0, wall: float = 1_800_000_000.0) -> None:
        self._now = now
        self._wall_offset = wall - now
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._sequence = 0

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now + self._wall_offset

    def jump_wall(self, delta_s: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP would."""
        self._wall_offset += delta_s

    async def sleep(self, delay_s: float) -> None:
        if delay_s <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sequence += 1
        heapq.heappush(self._sleepers, (self._now + delay_s, self._sequence, future))
        await future

    @property
    def next_wakeup(self) -> float | None:
        """When the earliest sleeper wants to wake (seconds on `now()`)."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def advance(self, delta_s: float) -> None:
        """Move on by `delta_s` seconds, waking each sleeper at its own time and letting it run."""
        target = self._now + delta_s
        await self.settle()
        while (wakeup := self.next_wakeup) is not None and wakeup <= target:
            self._now = max(self._now, wakeup)
            heapq.heappop(self._sleepers)[2].set_result(None)
            await self.settle()
        self._now = target
        await self.settle()

    async def settle(self) -> None:
        """Let every task that can run, run."""
        for _ in range(20):
            await asyncio.sleep(0)
