"""What the gate knows of one host: who is let in, who waits, and in what order."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.queue import FifoQueue
from sluicegate.core.limits.window import plan

LEAD_S = 0.5
"""How long before its permit a turn is let in, at most: it may open a connection meanwhile, and holds a slot."""
CONNECT_S = 1.0
"""How long a connection may take to open without the rate going unused: more turns are let in to cover that."""
AT_LEAST = 2
"""Turns that may be on their way to a permit at the same time, however slow the rate."""


@dataclass(frozen=True, slots=True)
class HostStatus:
    """A host at the gate, for the status page."""

    key: str
    limit_name: str
    queue: int
    in_flight: int


@dataclass(slots=True)
class Host[T: Hashable]:
    """A host's queue for slots, its line for permits, and its counts."""

    key: str
    limit: Limit
    queue: FifoQueue[T] = field(default_factory=FifoQueue)
    line: FifoQueue[T] = field(default_factory=FifoQueue)
    in_flight: int = 0
    """Turns that hold a slot of this host."""
    waiting: int = 0
    """Turns that wait, for whatever."""
    unpermitted: int = 0
    """Turns that have had no permit yet."""
    arriving: int = 0
    """Those of them that hold a slot: they connect, or wait in line."""
    present: int = 0
    """Turns that have not left."""
    free: int = 0
    """So many permits were free when the store was last asked, less those given since."""
    free_until: float = 0.0
    """That is believed up to then."""
    polling: bool = False
    """Somebody will soon ask for a slot again: other processes held them all."""
    poll_s: float = 0.0
    _spacing: tuple[Limit | None, float] = (None, 0.0)

    @property
    def open(self) -> bool:
        """The next in the queue may have a slot: one is free, and not enough are on their way to a permit already."""
        if self.in_flight >= self.limit.concurrency:
            return False
        if self.limit.unlimited:
            return True
        spacing_s = self._spacing_s
        enough = max(AT_LEAST, (LEAD_S + CONNECT_S) / spacing_s)
        return len(self.line) * spacing_s < LEAD_S and self.arriving < enough

    @property
    def _spacing_s(self) -> float:
        if self._spacing[0] is not self.limit:
            self._spacing = (self.limit, plan(self.limit).spacing_s)
        return self._spacing[1]

    def status(self) -> HostStatus:
        """The counts as they are now."""
        return HostStatus(self.key, self.limit.name, self.waiting, self.in_flight)
