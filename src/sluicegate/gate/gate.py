"""The gate: every request to an origin passes here, and is counted when it is sent.

    enter ─▶ door ─▶ queue ─▶ host slot ─▶ global slot ─▶ Turn ─▶ (the caller connects) ─▶ permit ─▶ send ─▶ leave

The door refuses at once what would wait too long. The queue is the host's own. A slot is room for one request in flight.
With a `Turn` the caller opens its connection, and then asks for the permit: turns get permits in the order they ask, so
that one which is still connecting holds up nobody. Only the first in line asks the store, and sleeps for as long as the
store says. All changes to queues and slots are synchronous and run to their end: on each arrival, departure and
cancellation.

Whatever ends a wait gives back what was held; a permit is only ever spent by a request that is then sent.
"""

from sluicegate.clock import Clock
from sluicegate.core.limits.ports import PermitStore, SlotStore
from sluicegate.core.limits.table import LimitTable
from sluicegate.core.ports import EventSink
from sluicegate.errors import PermitStoreError
from sluicegate.gate.host import Host, HostStatus
from sluicegate.gate.slots import Slots
from sluicegate.gate.timers import Timers
from sluicegate.gate.turn import Ask, Desk, Pace, Turn

__all__ = ["Ask", "Gate", "HostStatus", "Pace", "Turn"]


class Gate:
    """Lets requests through as `table` allows, at most `max_inflight` at once in all.

    With `shared` slots these bounds hold for all processes that share them. The stores are the caller's to close.
    """

    def __init__(
        self,
        table: LimitTable,
        store: PermitStore,
        clock: Clock,
        events: EventSink,
        *,
        max_inflight: int,
        shared: SlotStore | None = None,
    ) -> None:
        self._table = table
        timers = Timers(clock)
        slots = Slots(max_inflight, shared, lambda delay_s, call: timers.call_at(clock.now() + delay_s, call))
        self._desk = Desk(store, clock, events, timers, slots)

    def enter_now(self, ask: Ask) -> Turn | None:
        """`enter` where nothing stands in the way; None, and no place is taken, where something does."""
        turn = self._turn(ask)
        if turn.enter_now():
            return turn
        turn.leave()
        return None

    async def enter(self, ask: Ask) -> Turn:
        """Wait for room to send a request to `ask.host`; the Turn's `permit` then waits for the rates.

        Raises QueueFull and WaitTooLong, at once where they can be foreseen, and LimiterUnavailable once closed. The
        caller calls `leave` on the Turn in the end, whatever happens.
        """
        turn = self._turn(ask)
        if not turn.enter_now():
            await turn.enter()
        return turn

    async def foresee(self, host: str) -> float:
        """How long a request to `host` that came now would wait for its permit (seconds), as far as rates tell."""
        limit, key = self._table.match(host)
        known = self._desk.hosts.get(key)
        if limit.unlimited:
            return 0.0
        try:
            return await self._desk.store.predict(key, limit, known.unpermitted if known is not None else 0)
        except PermitStoreError:
            return 0.0

    def configure(self, table: LimitTable, max_inflight: int) -> None:
        """Put other limits in force. Those who wait keep their places and wait as the new limits say."""
        self._table = table
        self._desk.slots.max_inflight = max_inflight
        for host in list(self._desk.hosts.values()):
            host.limit, _ = table.match(host.key)
            host.free = 0
            self._desk.slots.assign(host)
        self._rouse_all()

    def snapshot(self) -> list[HostStatus]:
        """The hosts with requests at the gate, the longest queue first."""
        hosts = [host.status() for host in self._desk.hosts.values() if host.present]
        return sorted(hosts, key=lambda status: (-status.queue, -status.in_flight, status.key))

    @property
    def in_flight(self) -> int:
        """Requests that hold a global slot."""
        return self._desk.slots.in_flight

    async def aclose(self) -> None:
        """Refuse whoever still waits (LimiterUnavailable) and whoever would have to; idempotent."""
        self._desk.closed = True
        self._rouse_all()
        self._desk.timers.close()

    def _turn(self, ask: Ask) -> Turn:
        limit, key = self._table.match(ask.host)
        host = self._desk.hosts.get(key)
        if host is None:
            host = self._desk.hosts[key] = Host(key, limit)
        return Turn(ask, host, self._desk)

    def _rouse_all(self) -> None:
        for host in list(self._desk.hosts.values()):
            for turn in (*host.queue, *self._desk.slots.lobby(host), *host.line):
                turn.rouse()
