"""Prometheus metrics: an `EventSink` that counts, and a registry of its own that is read out at `/metrics`.

Events are counted in a `Tally`; names and labels are put on when somebody asks.
"""

import platform
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from sluicegate.core.events import Event
from sluicegate.observe.families import Counter, Histogram
from sluicegate.observe.labels import HostLabels
from sluicegate.observe.state import Probe, State
from sluicegate.observe.tally import DURATIONS_S, WAITS_S, Tally
from sluicegate.observe.totals import FROM_CACHE

_CLASSES = {1: "1xx", 2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}

type Families = tuple[Counter | Histogram, ...]


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
        self.tally = Tally(hosts, host_cap=host_cap)
        self._probe = probe
        self._dropped_lines = dropped_lines
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        ProcessCollector(namespace="sluicegate", registry=self.registry)

    @property
    def hosts(self) -> HostLabels:
        """What the `host` labels are chosen by."""
        return self.tally.hosts

    def handler(self, kind: type[Event]) -> Callable[[Any], None]:
        """What counts events of this class."""
        return self.tally.handler(kind)

    def wants(self, kind: type[Event]) -> bool:
        """Whether events of this class must be emitted to be counted."""
        return self.tally.wants(kind)

    def emit(self, event: Event) -> None:
        self.tally.emit(event)

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """All metrics and their content type: OpenMetrics when `accept` asks for it, else Prometheus' text format."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def collect(self) -> Iterator[Metric]:
        for family in (*self._requests(), *self._limits(), *self._cache(), *self._upstream(), *self._proxy_itself()):
            yield from family.collect()
        yield from self._gauges()
        dropped = Counter("sluicegate_log_lines_dropped", "Log lines that could not be written.")
        dropped.add(amount=self._dropped_lines())
        yield from dropped.collect()
        yield _build_info()

    def _requests(self) -> Families:
        requests = Counter("sluicegate_requests", "Exchanges finished.", "status", "cache")
        seconds = Histogram(
            "sluicegate_request_duration_seconds",
            "From the request's head to the end of its response, waits included.",
            "cache",
            buckets=DURATIONS_S,
        )
        sent = Counter("sluicegate_response_bytes", "Bytes of bodies sent to clients.", "cache")
        errors = Counter(
            "sluicegate_request_errors", "Exchanges that ended in an error, by RFC 9209 type, or client_gone.", "error"
        )
        for (_, status, cache, _), cell in list(self.tally.exchanges.items()):
            requests.add(_class(status), cache, amount=cell.count)
            seconds.add(cell.counts, cell.total_s, cache)
            sent.add(cache, amount=cell.bytes_sent)
        for error, count in list(self.tally.errors.items()):
            errors.add(error, amount=count)
        return requests, seconds, sent, errors

    def _limits(self) -> Families:
        waits = Histogram(
            "sluicegate_rate_limiter_wait_seconds", "Waits of requests that got their permit.", "host", buckets=WAITS_S
        )
        permits = Counter("sluicegate_rate_limiter_permits", "Requests let through to the origin.", "host")
        rejections = Counter("sluicegate_rate_limiter_rejections", "Requests refused.", "host", "reason")
        abandoned = Counter("sluicegate_rate_limiter_abandoned", "Clients that left the queue.", "host")
        upstream_429 = Counter(
            "sluicegate_rate_limiter_upstream_429", "Answers 429 from origins: the limit is too generous.", "host"
        )
        for host, waited in list(self.tally.waits.items()):
            waits.add(waited.counts, waited.total_s, host)
            permits.add(host, amount=waited.count)
        for (host, reason), count in list(self.tally.rejected.items()):
            rejections.add(host, reason, amount=count)
        for host, count in list(self.tally.abandoned.items()):
            abandoned.add(host, amount=count)
        for (host, _), answers in list(self.tally.answers.items()):
            if answers.too_many_requests:
                upstream_429.add(host, amount=answers.too_many_requests)
        return waits, permits, rejections, abandoned, upstream_429

    def _cache(self) -> Families:
        requests = Counter("sluicegate_cache_requests", "Exchanges by cache outcome.", "host", "outcome")
        decisions = Counter("sluicegate_cache_decisions", "Why the cache did so.", "outcome", "reason")
        stored = Counter("sluicegate_cache_stored", "Responses stored.")
        served = Counter("sluicegate_cache_served_bytes", "Bytes of bodies that no origin sent.")
        for (host, _, outcome, reason), cell in list(self.tally.exchanges.items()):
            requests.add(host, outcome, amount=cell.count)
            if reason:
                decisions.add(outcome, reason, amount=cell.count)
            if outcome in FROM_CACHE:
                served.add(amount=cell.bytes_sent)
        for (outcome, reason), count in list(self.tally.decisions.items()):
            decisions.add(outcome, reason, amount=count)
        stored.add(amount=self.tally.stored)
        return requests, decisions, stored, served

    def _upstream(self) -> Families:
        responses = Counter("sluicegate_upstream_responses", "Answers of origins.", "host", "status")
        failures = Counter("sluicegate_upstream_failures", "Exchanges that failed.", "host", "error")
        reused = Counter("sluicegate_upstream_reused", "Answers on a connection used before.", "host")
        seconds = Histogram(
            "sluicegate_upstream_response_duration_seconds",
            "From sending the request to the response's head.",
            "host",
            buckets=DURATIONS_S,
        )
        for (host, status), answers in list(self.tally.answers.items()):
            responses.add(host, _class(status), amount=answers.count)
            seconds.add(answers.counts, answers.total_s, host)
            if answers.reused:
                reused.add(host, amount=answers.reused)
        for (host, error), count in list(self.tally.failures.items()):
            failures.add(host, error, amount=count)
        return responses, failures, reused, seconds

    def _proxy_itself(self) -> Families:
        notices = Counter("sluicegate_notices", "Log lines about the proxy itself.", "stage", "level")
        for (stage, level), count in list(self.tally.notices.items()):
            notices.add(stage, level, amount=count)
        return (notices,)

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


def _class(hundreds: int) -> str:
    return _CLASSES.get(hundreds, "none")


def _build_info() -> Metric:
    info = {"version": version("sluicegate"), "python": platform.python_version(), "mitmproxy": version("mitmproxy")}
    return InfoMetricFamily("sluicegate_build", "What runs here.", value=info)
