from prometheus_client.exposition import generate_latest

from sluicegate.core.events import Access, Permitted
from sluicegate.observe.metrics import Metrics
from sluicegate.observe.state import LimitState, State
from sluicegate.observe.status import ConfigInfo, status_document
from sluicegate.observe.totals import Totals, totals_of
from sluicegate.workers.messages import Report
from sluicegate.workers.sums import Retired, named, sum_metrics, sum_status


def worker(hosts, *, entries=0, queue=0):
    """What a worker with one request to each of these hosts has counted."""
    state = State([LimitState("a.test", "default", "5/second", 8, queue, 1)], entries, entries * 100, 3, 1)
    metrics = Metrics(probe=lambda: state)
    for host in hosts:
        for event in (
            Permitted("r", host, host, 0.02, 0, 1),
            Access("r", "127.0.0.1", "GET", f"http://{host}/", host, 200, 10, 0.3, 0.02, "miss"),
        ):
            metrics.emit(event)

    status = status_document(
        listen="", uptime_s=1, config=ConfigInfo(None, "", 0), totals=totals_of(metrics.tally), state=state, ready=True
    )
    return Report(status, list(metrics.registry.collect()), 0, 0)


def samples(metrics):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value for metric in metrics for sample in metric.samples
    }


def test_counters_histograms_and_gauges_are_added_and_what_is_shared_is_not():
    summed = samples(
        sum_metrics([worker(["a.test", "a.test"], entries=7, queue=2).metrics, worker(["a.test"], entries=9).metrics])
    )

    assert summed["sluicegate_rate_limiter_permits_total", ("host", "a.test")] == 3
    assert summed["sluicegate_rate_limiter_wait_seconds_count", ("host", "a.test")] == 3
    assert summed["sluicegate_rate_limiter_wait_seconds_bucket", ("host", "a.test"), ("le", "0.05")] == 3
    assert summed["sluicegate_rate_limiter_queue_length", ("host", "a.test")] == 2
    assert summed["sluicegate_upstream_connections", ("state", "open")] == 6
    assert summed["sluicegate_cache_entries",] == 9
    assert {value for (name, *_), value in summed.items() if name == "sluicegate_build_info"} == {1}


def test_the_series_of_a_host_that_one_worker_alone_saw_stays_together_for_the_scraper():
    class Registry:
        def collect(self):
            return sum_metrics([worker(["a.test"]).metrics, worker(["b.test", "a.test"]).metrics])

    lines = [
        line
        for line in generate_latest(Registry()).decode().splitlines()
        if "limiter_wait_seconds" in line and "{" in line
    ]

    hosts = ["a.test" if "a.test" in line else "b.test" for line in lines]
    assert hosts == sorted(hosts)


def test_a_process_is_told_apart_by_its_worker():
    both = samples(sum_metrics([named("1", worker([]).metrics), named("2", worker([]).metrics)]))

    assert both["sluicegate_process_resident_memory_bytes", ("worker", "1")] > 0
    assert both["sluicegate_process_resident_memory_bytes", ("worker", "2")] > 0


def test_what_a_worker_counted_outlives_it_and_what_stood_does_not():
    retired = Retired()
    retired.add(worker(["a.test"], entries=3, queue=4))
    retired.add(worker(["a.test", "b.test"]))

    kept = samples(retired.metrics)

    assert kept["sluicegate_rate_limiter_permits_total", ("host", "a.test")] == 2
    assert kept["sluicegate_rate_limiter_permits_total", ("host", "b.test")] == 1
    assert not [name for name, *_ in kept if "queue_length" in name or "process" in name or "entries" in name]
    assert retired.totals["requests"] == 3


def test_the_status_is_of_all_workers_and_of_those_that_ended():
    retired = Retired()
    retired.add(worker(["a.test"]))
    own = status_document(
        listen="127.0.0.1:3128", uptime_s=5, config=ConfigInfo(None, "abc", 0), totals=Totals(), state=State()
    )

    status = sum_status(
        own, [worker(["a.test"], entries=4, queue=2).status, worker([], entries=5, queue=1).status], retired
    )

    assert (status["listen"], status["uptime_s"], status["config"]["checksum"]) == ("127.0.0.1:3128", 5, "abc")
    assert status["totals"]["requests"] == 2
    assert status["totals"]["wait_s"] == 0.04
    assert status["limits"] == [
        {"key": "a.test", "limit": "default", "rates": "5/second", "concurrency": 8, "queue": 3, "in_flight": 2}
    ]
    assert status["cache"] == {"entries": 5, "bytes": 500}
    assert status["upstream"] == {"open": 6, "idle": 2}


def test_before_any_worker_has_reported_the_status_is_of_nothing():
    own = status_document(listen="", uptime_s=0, config=ConfigInfo(None, "", 0), totals=Totals(), state=State())

    assert sum_status(own, [], Retired()) == own
