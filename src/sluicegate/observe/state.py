"""What stands at this moment, as the metrics and the status page read it."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LimitState:
    """One limited key in use. `key` is the host, `limit` the pattern it was configured under."""

    key: str
    limit: str
    rates: str
    """As configured: `5/second 1000/hour`, or `unlimited`."""
    concurrency: int
    queue: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class State:
    """The gauges of all rooms."""

    limits: list[LimitState] = field(default_factory=list)
    cache_entries: int = 0
    cache_bytes: int = 0
    connections_open: int = 0
    connections_idle: int = 0


type Probe = Callable[[], State]
"""Looks at the running objects; cheap, called for each scrape and each look at the status page."""
