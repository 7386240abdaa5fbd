"""Sums since the start, for the status page and the summary of `run`."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from sluicegate.core.events import Abandoned, Access, Event, Permitted, Rejected, UpstreamAnswered, UpstreamFailed

FROM_CACHE = frozenset({"hit", "stale", "revalidated"})
"""Cache outcomes whose body came from the cache."""


@dataclass(slots=True)
class Totals:
    """An `EventSink` that only counts."""

    requests: int = 0
    """Exchanges finished, whoever answered them."""
    hits: int = 0
    """Answered from the cache without asking the origin."""
    revalidated: int = 0
    """Answered from the cache after the origin confirmed it with a 304."""
    errors: int = 0
    """Exchanges that ended in an error of RFC 9209, or with the client gone."""
    bytes_sent: int = 0
    """Bytes of bodies sent to clients."""
    bytes_from_cache: int = 0
    """Those of them that the origin did not have to send."""
    wait_s: float = 0.0
    """Seconds that requests spent waiting for a limit, summed up."""
    permits: int = 0
    rejected: int = 0
    abandoned: int = 0
    upstream_requests: int = 0
    """Exchanges with origins that were answered or failed."""
    upstream_failures: int = 0

    def handler(self, kind: type[Event]) -> Callable[[Any], None] | None:
        """What counts events of this class; None for those that are in no sum."""
        handlers: dict[type, Callable[[Any], None]] = {
            Access: self._access,
            Permitted: self._permitted,
            Rejected: self._rejected,
            Abandoned: self._abandoned,
            UpstreamAnswered: self._answered,
            UpstreamFailed: self._failed,
        }
        return handlers.get(kind)

    def emit(self, event: Event) -> None:
        if (count := self.handler(type(event))) is not None:
            count(event)

    def _permitted(self, _event: Permitted) -> None:
        self.permits += 1

    def _rejected(self, _event: Rejected) -> None:
        self.rejected += 1

    def _abandoned(self, _event: Abandoned) -> None:
        self.abandoned += 1

    def _answered(self, _event: UpstreamAnswered) -> None:
        self.upstream_requests += 1

    def _failed(self, _event: UpstreamFailed) -> None:
        self.upstream_requests += 1
        self.upstream_failures += 1

    def as_dict(self) -> dict[str, int | float]:
        """The sums by name, as `/api/status` shows them."""
        return asdict(self) | {"wait_s": round(self.wait_s, 3)}

    def _access(self, event: Access) -> None:
        self.requests += 1
        self.bytes_sent += event.bytes_sent
        self.wait_s += event.wait_s
        if event.error:
            self.errors += 1
        if event.cache in FROM_CACHE:
            self.bytes_from_cache += event.bytes_sent
            if event.cache == "revalidated":
                self.revalidated += 1
            else:
                self.hits += 1
