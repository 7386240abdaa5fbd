"""What goes on for the store after its client has been answered: a bounded number of tasks, each thing once."""

import asyncio
import itertools
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from sluicegate.clock import Clock
from sluicegate.core.http import Origin
from sluicegate.gate.timers import Timers
from sluicegate.tasks import spawn

MAX_TASKS = 200
"""As many at once; what would be one more is not begun, or given up."""
REST_S = 1.0
"""How long something that failed is not tried again (seconds)."""
_MAX_RESTING = 10_000


class Background:
    """All of it. It outlives reloads, like the flights it belongs to."""

    def __init__(self, clock: Clock) -> None:
        self.timers = Timers(clock)
        self.silent: Counter[Origin] = Counter()
        """Origins that have let somebody wait for too long, and have still not answered."""
        self._clock = clock
        self._tasks: dict[asyncio.Task[Any], str] = {}
        self._names: set[str] = set()
        self._resting: OrderedDict[str, float] = OrderedDict()
        self._prefix = secrets.token_hex(3)
        self._numbers = itertools.count(1)
        self._allowed = True
        self._closed = False

    @property
    def count(self) -> int:
        """How many are under way."""
        return len(self._tasks)

    def next_id(self) -> str:
        """A request id for something that no client has asked for."""
        return f"{self._prefix}-b{next(self._numbers):x}"

    def start(self, name: str, make: Callable[[], Coroutine[Any, Any, bool]]) -> bool:
        """Run `make()`, unless something of that name is under way or has just failed, or too much is.

        It says in the end whether it did what it was to do, and raises nothing that is not a fault of ours.
        """
        if self._closed or not self._allowed or name in self._names or len(self._tasks) >= MAX_TASKS:
            return False
        if self._resting and self._clock.now() < self._resting.get(name, 0.0):
            return False
        task = spawn(make(), name="background refresh")
        self._tasks[task] = name
        self._names.add(name)
        task.add_done_callback(self._ended)
        return True

    async def allow(self, *, anything: bool) -> None:
        """Whether anything may be begun from now on; if not, what is under way is given up."""
        self._allowed = anything
        if not anything:
            await self._give_up()

    async def _give_up(self) -> None:
        await asyncio.sleep(0)  # a task that is cancelled before its first step gives nothing back
        under_way = list(self._tasks)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def aclose(self) -> None:
        """Give up what is under way, and begin nothing more. Idempotent."""
        self._closed = True
        await self._give_up()
        self.timers.close()

    def _ended(self, task: asyncio.Task[bool]) -> None:
        name = self._tasks.pop(task)
        self._names.discard(name)
        if task.cancelled():
            return
        if task.exception() is None and task.result():
            self._resting.pop(name, None)
            return
        self._resting[name] = self._clock.now() + REST_S
        self._resting.move_to_end(name)
        if len(self._resting) > _MAX_RESTING:
            self._resting.popitem(last=False)
