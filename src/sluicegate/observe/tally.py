"""What is counted, once and cheaply: the metrics and the totals are sums over it, made when somebody asks.

A request costs one look-up for its exchange, one for its permit and one for the origin's answer. Hence a cell of numbers
for each combination of labels, in place of a counter for each label.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from sluicegate.core.events import (
    Abandoned,
    Access,
    CacheDecided,
    Event,
    Notice,
    Permitted,
    Rejected,
    UpstreamAnswered,
    UpstreamFailed,
)
from sluicegate.observe.labels import HostLabels

DURATIONS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
WAITS_S = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_TOO_MANY_REQUESTS = 429


class Spread:
    """Durations in seconds: how many came to lie in each bucket, the last of which has no bound, and their sum."""

    __slots__ = ("counts", "total_s")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.counts = [0] * (len(bounds) + 1)
        self.total_s = 0.0

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)


class Exchanges(Spread):
    """Exchanges of one host, class of status, cache outcome and reason."""

    __slots__ = ("bytes_sent", "errors", "wait_s")

    def __init__(self) -> None:
        super().__init__(DURATIONS_S)
        self.bytes_sent = 0
        self.wait_s = 0.0
        self.errors = 0


class Answers(Spread):
    """Answers of one origin host, of one class of status."""

    __slots__ = ("reused", "too_many_requests")

    def __init__(self) -> None:
        super().__init__(DURATIONS_S)
        self.reused = 0
        self.too_many_requests = 0


class Tally:
    """An `EventSink` that only counts. Hosts go by their label, statuses by their hundreds.

    A reader in another thread copies what it iterates over.
    """

    def __init__(self, hosts: Iterable[str] = (), *, host_cap: int = 100) -> None:
        self.hosts = HostLabels(hosts, cap=host_cap)
        self.exchanges: dict[tuple[str, int, str, str], Exchanges] = {}
        """By host, class of status, cache outcome, reason (empty where `decisions` has it)."""
        self.errors: Counter[str] = Counter()
        self.waits: dict[str, Spread] = {}
        """What those waited who got a permit, by host."""
        self.rejected: Counter[tuple[str, str]] = Counter()
        """By host, reason."""
        self.abandoned: Counter[str] = Counter()
        self.decisions: dict[tuple[str, str], int] = {}
        """By cache outcome, reason: those that an event of their own told."""
        self.stored = 0
        self.answers: dict[tuple[str, int], Answers] = {}
        """By host, class of status."""
        self.failures: Counter[tuple[str, str]] = Counter()
        """By host, error."""
        self.notices: Counter[tuple[str, str]] = Counter()
        """By stage, level."""
        self._label = self.hosts.known
        self._handlers: dict[type, Callable[[Any], None]] = {
            Access: self._access,
            Permitted: self._permitted,
            Rejected: self._rejected,
            Abandoned: self._abandoned,
            CacheDecided: self._cache_decided,
            UpstreamAnswered: self._answered,
            UpstreamFailed: self._failed,
            Notice: self._noticed,
        }

    def handler(self, kind: type[Event]) -> Callable[[Any], None]:
        """What counts events of this class."""
        return self._handlers[kind]

    def wants(self, kind: type[Event]) -> bool:
        """Whether such events must be emitted: all but the cache's decisions, which `Access` can tell as well."""
        return kind is not CacheDecided

    def emit(self, event: Event) -> None:
        self._handlers[type(event)](event)

    def _access(self, event: Access) -> None:
        host = event.host
        key = (self._label.get(host) or self.hosts(host), event.status // 100, event.cache, event.reason)
        cell = self.exchanges.get(key)
        if cell is None:
            cell = self.exchanges[key] = Exchanges()
        seconds = event.duration_s
        cell.counts[bisect_left(DURATIONS_S, seconds)] += 1
        cell.total_s += seconds
        cell.bytes_sent += event.bytes_sent
        cell.wait_s += event.wait_s
        if event.stored:
            self.stored += 1
        if event.error:
            cell.errors += 1
            self.errors[event.error] += 1

    def _permitted(self, event: Permitted) -> None:
        host = event.host
        label = self._label.get(host) or self.hosts(host)
        cell = self.waits.get(label)
        if cell is None:
            cell = self.waits[label] = Spread(WAITS_S)
        seconds = event.wait_s
        cell.counts[bisect_left(WAITS_S, seconds)] += 1
        cell.total_s += seconds

    def _answered(self, event: UpstreamAnswered) -> None:
        host, status = event.host, event.status
        key = (self._label.get(host) or self.hosts(host), status // 100)
        cell = self.answers.get(key)
        if cell is None:
            cell = self.answers[key] = Answers()
        seconds = event.duration_s
        cell.counts[bisect_left(DURATIONS_S, seconds)] += 1
        cell.total_s += seconds
        if event.reused:
            cell.reused += 1
        if status == _TOO_MANY_REQUESTS:
            cell.too_many_requests += 1

    def _cache_decided(self, event: CacheDecided) -> None:
        key = (event.outcome, event.reason)
        self.decisions[key] = self.decisions.get(key, 0) + 1
        if event.stored:
            self.stored += 1

    def _rejected(self, event: Rejected) -> None:
        self.rejected[self.hosts(event.host), event.why] += 1

    def _abandoned(self, event: Abandoned) -> None:
        self.abandoned[self.hosts(event.host)] += 1

    def _failed(self, event: UpstreamFailed) -> None:
        self.failures[self.hosts(event.host), event.error] += 1

    def _noticed(self, event: Notice) -> None:
        self.notices[event.stage.value, event.level.value] += 1
