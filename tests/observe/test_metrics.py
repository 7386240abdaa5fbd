from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from sluicegate.core.events import (
    Abandoned,
    Access,
    CacheDecided,
    Level,
    Notice,
    Permitted,
    Rejected,
    Stage,
    UpstreamAnswered,
    UpstreamFailed,
)
from sluicegate.observe.metrics import Metrics
from sluicegate.observe.state import LimitState, State


def access(*, host="h", status=200, cache="hit", size=100, duration_s=0.02, error=""):
    return Access("r", "c", "GET", f"http://{host}/", host, status, size, duration_s, 0.0, cache, error=error)


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def metrics():
    return Metrics()


def test_requests_are_counted_by_status_class_and_cache_outcome(metrics):
    for event in (
        access(),
        access(size=50),
        access(status=404, cache="miss"),
        access(status=0, cache="none", error="x"),
    ):
        metrics.emit(event)

    assert value(metrics, "sluicegate_requests_total", status="2xx", cache="hit") == 2
    assert value(metrics, "sluicegate_requests_total", status="4xx", cache="miss") == 1
    assert value(metrics, "sluicegate_requests_total", status="none", cache="none") == 1
    assert value(metrics, "sluicegate_response_bytes_total", cache="hit") == 150
    assert value(metrics, "sluicegate_request_errors_total", error="x") == 1
    assert value(metrics, "sluicegate_cache_requests_total", host="h", outcome="hit") == 2
    assert value(metrics, "sluicegate_cache_served_bytes_total") == 150


def test_histograms_are_cumulative_and_a_bound_belongs_to_its_bucket(metrics):
    for duration in (0.0005, 0.01, 0.02, 500.0):
        metrics.emit(access(duration_s=duration))

    def bucket(bound):
        return value(metrics, "sluicegate_request_duration_seconds_bucket", cache="hit", le=bound)

    assert [bucket(bound) for bound in ("0.001", "0.005", "0.01", "0.025", "120.0", "+Inf")] == [1, 1, 2, 3, 3, 4]
    assert value(metrics, "sluicegate_request_duration_seconds_count", cache="hit") == 4
    assert value(metrics, "sluicegate_request_duration_seconds_sum", cache="hit") == pytest.approx(500.0305)


def test_what_the_limiter_does_is_counted_by_host(metrics):
    for event in (
        Permitted("r", "h", "h", 0.2, 3, 1),
        Permitted("r", "h", "h", 0.0, 3, 1),
        Rejected("r", "h", "h", "queue_full", 1.0, 9),
        Abandoned("r", "h", "h", 0.1),
        UpstreamAnswered("r", "h", 429, 0.1, reused=True),
    ):
        metrics.emit(event)

    assert value(metrics, "sluicegate_rate_limiter_permits_total", host="h") == 2
    assert value(metrics, "sluicegate_rate_limiter_wait_seconds_bucket", host="h", le="0.1") == 1
    assert value(metrics, "sluicegate_rate_limiter_wait_seconds_sum", host="h") == pytest.approx(0.2)
    assert value(metrics, "sluicegate_rate_limiter_rejections_total", host="h", reason="queue_full") == 1
    assert value(metrics, "sluicegate_rate_limiter_abandoned_total", host="h") == 1
    assert value(metrics, "sluicegate_rate_limiter_upstream_429_total", host="h") == 1


def test_cache_and_upstream_are_counted(metrics):
    for event in (
        CacheDecided("r", "http://h/", "miss", "uri-miss", "x", stored=True),
        CacheDecided("r", "http://h/", "hit", "fresh", "x"),
        UpstreamAnswered("r", "h", 503, 0.1, reused=True),
        UpstreamAnswered("r", "h", 200, 0.1, reused=False),
        UpstreamFailed("r", "h", "dns_error", ""),
        Notice(Stage.CONFIG, "rejected", Level.ERROR, ""),
    ):
        metrics.emit(event)

    assert value(metrics, "sluicegate_cache_decisions_total", outcome="hit", reason="fresh") == 1
    assert value(metrics, "sluicegate_cache_stored_total") == 1
    assert value(metrics, "sluicegate_upstream_responses_total", host="h", status="5xx") == 1
    assert value(metrics, "sluicegate_upstream_response_duration_seconds_count", host="h") == 2
    assert value(metrics, "sluicegate_upstream_reused_total", host="h") == 1
    assert value(metrics, "sluicegate_upstream_failures_total", host="h", error="dns_error") == 1
    assert value(metrics, "sluicegate_notices_total", stage="config", level="error") == 1


def test_a_decision_of_the_cache_counts_the_same_whichever_event_tells_it(metrics):
    metrics.emit(CacheDecided("r", "http://h/", "hit", "fresh", "x"))
    metrics.emit(access())
    metrics.emit(replace(access(), reason="fresh"))
    metrics.emit(replace(access(), reason="fresh"))

    assert value(metrics, "sluicegate_cache_decisions_total", outcome="hit", reason="fresh") == 3
    assert value(metrics, "sluicegate_requests_total", status="2xx", cache="hit") == 3
    assert value(metrics, "sluicegate_cache_requests_total", host="h", outcome="hit") == 3


def test_gauges_show_what_stands_now_summed_up_by_label():
    state = State(
        limits=[
            LimitState("a.example.org", "*.example.org", "5/second", 2, queue=3, in_flight=1),
            LimitState("b.example.org", "*.example.org", "5/second", 2, queue=4, in_flight=2),
        ],
        cache_entries=7,
        cache_bytes=700,
        connections_open=5,
        connections_idle=2,
    )
    metrics = Metrics(hosts=["*.example.org"], probe=lambda: state, dropped_lines=lambda: 12)

    assert value(metrics, "sluicegate_rate_limiter_queue_length", host="*.example.org") == 7
    assert value(metrics, "sluicegate_rate_limiter_in_flight", host="*.example.org") == 3
    assert value(metrics, "sluicegate_cache_entries") == 7
    assert value(metrics, "sluicegate_cache_size_bytes") == 700
    assert value(metrics, "sluicegate_upstream_connections", state="open") == 5
    assert value(metrics, "sluicegate_upstream_connections", state="idle") == 2
    assert value(metrics, "sluicegate_log_lines_dropped_total") == 12


def test_process_and_build_are_told(metrics):
    assert value(metrics, "sluicegate_process_resident_memory_bytes") > 0
    (build,) = (family for family in metrics.registry.collect() if family.name == "sluicegate_build")
    assert set(build.samples[0].labels) == {"version", "python", "mitmproxy"}


def test_the_number_of_series_is_bounded_whatever_is_asked_for():
    metrics = Metrics(host_cap=10)
    for number in range(1000):
        metrics.emit(access(host=f"h{number}"))

    hosts = [
        sample
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "sluicegate_cache_requests_total"
    ]

    assert len(hosts) == 11
    assert value(metrics, "sluicegate_cache_requests_total", host="other", outcome="hit") == 990


@pytest.mark.parametrize(
    ("accept", "parse", "content_type"),
    [
        ("", parse_text, "text/plain"),
        ("application/openmetrics-text; version=1.0.0", parse_openmetrics, "application/openmetrics-text"),
    ],
)
def test_both_formats_can_be_parsed_even_with_a_hostile_host(metrics, accept, parse, content_type):
    metrics.emit(access(host='x"\n\\ud800\ud800} 1'))
    metrics.emit(Permitted("r", "h", "h", 0.2, 3, 1))

    body, told = metrics.exposition(accept)

    families = {family.name: family for family in parse(body.decode("utf-8"))}
    assert told.startswith(content_type)
    assert "sluicegate_rate_limiter_wait_seconds" in families
