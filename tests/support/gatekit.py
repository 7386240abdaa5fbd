"""A gate on a manual clock, with what a test wants to see of it."""

import asyncio

from sluicegate.clock import ManualClock
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.rates import parse_rates
from sluicegate.core.limits.table import LimitTable
from sluicegate.gate.gate import Ask, Gate
from sluicegate.stores.permits.memory import MemoryPermitStore


class Events:
    """Keeps every event."""

    def __init__(self):
        self.all = []

    def wants(self, _kind):
        return True

    def emit(self, event):
        self.all.append(event)

    def of(self, kind):
        return [event for event in self.all if isinstance(event, kind)]


class CountingStore(MemoryPermitStore):
    """Counts what it is asked and gives; fails when told to."""

    def __init__(self, clock):
        super().__init__(clock)
        self.clock = clock
        self.asked = 0
        self.predicted = 0
        self.times = []
        self.failure = None
        self.on_permit = lambda: None

    async def predict(self, key, limit, ahead):
        self.predicted += 1
        return await super().predict(key, limit, ahead)

    async def take(self, key, limit, *, queued):
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        verdict = await super().take(key, limit, queued=queued)
        if verdict.admitted:
            self.times.append(self.clock.now())
            self.on_permit()
        return verdict


def limit(rates="unlimited", **options):
    return Limit(options.pop("name", "test"), parse_rates(rates), **options)


class Kit:
    """A gate and its surroundings. `hosts` are limits by pattern."""

    def __init__(self, default=None, hosts=None, *, max_inflight=500, store=None, clock=None):
        self.clock = clock or ManualClock()
        self.store = store or CountingStore(self.clock)
        self.events = Events()
        table = LimitTable(default or limit("10/second"), hosts or {})
        self.gate = Gate(table, self.store, self.clock, self.events, max_inflight=max_inflight)
        self.sent = []
        self._tasks = []

    async def send(self, name="", host="a", hold_s=0.0, connect_s=0.0):
        """One request, as the engine makes it: enter, connect, permit, send, leave."""
        turn = await self.gate.enter(Ask(request_id=name, host=host, client="client"))
        try:
            if connect_s:
                await self.clock.sleep(connect_s)
            await turn.permit()
            self.sent.append((name, host, self.clock.now()))
            if hold_s:
                await self.clock.sleep(hold_s)
        finally:
            turn.leave()
        return turn

    def start(self, name="", **options):
        """`send` in the background."""
        task = asyncio.get_running_loop().create_task(self.send(name, **options))
        self._tasks.append(task)
        return task

    def names(self):
        return [name for name, _, _ in self.sent]

    def times(self, host="a"):
        return [at for _, where, at in self.sent if where == host]

    def nothing_held(self):
        """No slot, no place in a queue, no host, no timer is left behind."""
        desk = self.gate._desk
        live = [timer for timer in desk.timers._heap if timer.live]
        return (
            self.gate.in_flight == 0
            and self.gate.snapshot() == []
            and not any(host.present for host in desk.hosts.values())
            and not live
        )

    async def close(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.gate.aclose()
        await self.store.aclose()


def most_in_a_window(times, window_s):
    """The most that any interval of that length holds, its two ends included."""
    times, first, most = sorted(times), 0, 0
    for index, at in enumerate(times):
        while at - times[first] > window_s:
            first += 1
        most = max(most, index - first + 1)
    return most
