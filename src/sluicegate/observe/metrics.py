"""Prometheus metrics: an `EventSink` that counts, and a registry of its own that is read out at `/metrics`."""

import platform
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

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
from sluicegate.observe.families import Counter, Histogram
from sluicegate.observe.labels import HostLabels
from sluicegate.observe.state import Probe, State
from sluicegate.observe.totals import FROM_CACHE

_DURATIONS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_WAITS_S = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_TOO_MANY_REQUESTS = 429
_CLASSES = {1: "1xx", 2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}


class Metrics(Collector):
    """Everything that is counted. `probe` gives the gauges, `hosts` the host names and patterns to know by name."""

    def __init__(
        self,
        *,
        hosts: Iterable[str] = (),
        host_cap: int = 100,
        probe: Probe = State,
        dropped_lines: Callable[[], int] = lambda: 0,
    ) -> None:
        self.hosts = HostLabels(hosts, cap=host_cap)
        self._probe = probe
        self._dropped_lines = dropped_lines
        self._families: list[Counter | Histogram] = []
        self._count_requests()
        self._count_limits()
        self._count_cache_and_upstream()
        self.notices = self._counter("sluicegate_notices", "Log lines about the proxy itself.", "stage", "level")
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
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        ProcessCollector(namespace="sluicegate", registry=self.registry)

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        self._families.append(family := Counter(name, help_text, *labels))
        return family

    def _histogram(self, name: str, help_text: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
        self._families.append(family := Histogram(name, help_text, *labels, buckets=buckets))
        return family

    def _count_requests(self) -> None:
        self.requests = self._counter("sluicegate_requests", "Exchanges finished.", "status", "cache")
        self.request_seconds = self._histogram(
            "sluicegate_request_duration_seconds",
            "From the request's head to the end of its response, waits included.",
            "cache",
            buckets=_DURATIONS_S,
        )
        self.response_bytes = self._counter("sluicegate_response_bytes", "Bytes of bodies sent to clients.", "cache")
        self.request_errors = self._counter(
            "sluicegate_request_errors", "Exchanges that ended in an error, by RFC 9209 type, or client_gone.", "error"
        )

    def _count_limits(self) -> None:
        self.waits = self._histogram(
            "sluicegate_rate_limiter_wait_seconds", "Waits of requests that got their permit.", "host", buckets=_WAITS_S
        )
        self.permits = self._counter("sluicegate_rate_limiter_permits", "Requests let through to the origin.", "host")
        self.rejections = self._counter("sluicegate_rate_limiter_rejections", "Requests refused.", "host", "reason")
        self.abandoned = self._counter("sluicegate_rate_limiter_abandoned", "Clients that left the queue.", "host")
        self.upstream_429 = self._counter(
            "sluicegate_rate_limiter_upstream_429", "Answers 429 from origins: the limit is too generous.", "host"
        )

    def _count_cache_and_upstream(self) -> None:
        self.cache_requests = self._counter(
            "sluicegate_cache_requests", "Exchanges by cache outcome.", "host", "outcome"
        )
        self.cache_decisions = self._counter("sluicegate_cache_decisions", "Why the cache did so.", "outcome", "reason")
        self.cache_stored = self._counter("sluicegate_cache_stored", "Responses stored.")
        self.cache_served_bytes = self._counter("sluicegate_cache_served_bytes", "Bytes of bodies that no origin sent.")
        self.upstream_responses = self._counter(
            "sluicegate_upstream_responses", "Answers of origins.", "host", "status"
        )
        self.upstream_failures = self._counter(
            "sluicegate_upstream_failures", "Exchanges that failed.", "host", "error"
        )
        self.upstream_reused = self._counter(
            "sluicegate_upstream_reused", "Answers on a connection used before.", "host"
        )
        self.upstream_seconds = self._histogram(
            "sluicegate_upstream_response_duration_seconds",
            "From sending the request to the response's head.",
            "host",
            buckets=_DURATIONS_S,
        )

    def handler(self, kind: type[Event]) -> Callable[[Any], None]:
        """What counts events of this class."""
        return self._handlers[kind]

    def emit(self, event: Event) -> None:
        self._handlers[type(event)](event)

    def _permitted(self, event: Permitted) -> None:
        host = self.hosts(event.host)
        self.permits.add(host)
        self.waits.observe(event.wait_s, host)

    def _rejected(self, event: Rejected) -> None:
        self.rejections.add(self.hosts(event.host), event.why)

    def _abandoned(self, event: Abandoned) -> None:
        self.abandoned.add(self.hosts(event.host))

    def _cache_decided(self, event: CacheDecided) -> None:
        self.cache_decisions.add(event.outcome, event.reason)
        if event.stored:
            self.cache_stored.add()

    def _failed(self, event: UpstreamFailed) -> None:
        self.upstream_failures.add(self.hosts(event.host), event.error)

    def _noticed(self, event: Notice) -> None:
        self.notices.add(event.stage.value, event.level.value)

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """All metrics and their content type: OpenMetrics when `accept` asks for it, else Prometheus' text format."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            yield from family.collect()
        yield from self._gauges()
        dropped = Counter("sluicegate_log_lines_dropped", "Log lines that could not be written.")
        dropped.add(amount=self._dropped_lines())
        yield from dropped.collect()
        yield _build_info()

    def _access(self, event: Access) -> None:
        cache = event.cache
        self.requests.add(_CLASSES.get(event.status // 100, "none"), cache)
        self.request_seconds.observe(event.duration_s, cache)
        self.response_bytes.add(cache, amount=event.bytes_sent)
        self.cache_requests.add(self.hosts(event.host), cache)
        if cache in FROM_CACHE:
            self.cache_served_bytes.add(amount=event.bytes_sent)
        if event.error:
            self.request_errors.add(event.error)

    def _answered(self, event: UpstreamAnswered) -> None:
        host = self.hosts(event.host)
        self.upstream_responses.add(host, _CLASSES.get(event.status // 100, "none"))
        self.upstream_seconds.observe(event.duration_s, host)
        if event.reused:
            self.upstream_reused.add(host)
        if event.status == _TOO_MANY_REQUESTS:
            self.upstream_429.add(host)

    def _gauges(self) -> Iterator[Metric]:
        state = self._probe()
        queue = GaugeMetricFamily("sluicegate_rate_limiter_queue_length", "Requests that wait.", labels=["host"])
        in_flight = GaugeMetricFamily("sluicegate_rate_limiter_in_flight", "Requests on their way.", labels=["host"])
        sums: dict[str, tuple[int, int]] = {}
        for limit in state.limits:
            label = self.hosts(limit.key)
            waiting, flying = sums.get(label, (0, 0))
            sums[label] = (waiting + limit.queue, flying + limit.in_flight)
        for label, (waiting, flying) in sums.items():
            queue.add_metric([label], waiting)
            in_flight.add_metric([label], flying)
        yield from (queue, in_flight)
        yield GaugeMetricFamily("sluicegate_cache_entries", "Responses in the store.", value=state.cache_entries)
        yield GaugeMetricFamily("sluicegate_cache_size_bytes", "Size of the store.", value=state.cache_bytes)
        connections = GaugeMetricFamily("sluicegate_upstream_connections", "Open connections.", labels=["state"])
        connections.add_metric(["open"], state.connections_open)
        connections.add_metric(["idle"], state.connections_idle)
        yield connections


def _build_info() -> Metric:
    info = {"version": version("sluicegate"), "python": platform.python_version(), "mitmproxy": version("mitmproxy")}
    return InfoMetricFamily("sluicegate_build", "What runs here.", value=info)
