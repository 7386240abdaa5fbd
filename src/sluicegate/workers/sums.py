"""Metrics and status of many processes as those of one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from sluicegate.workers.messages import Report

_ADDED = ("counter", "histogram")
_SHARED = ("sluicegate_cache_entries", "sluicegate_cache_size_bytes", "sluicegate_build")
"""Not a worker's own but of all: the largest counts, as each has its own moment of looking."""
_PROCESS = "sluicegate_process_"
"""Of one process, and told apart by the label `worker`."""


def sum_metrics(sources: Iterable[Iterable[Metric]]) -> list[Metric]:
    """Counters, histograms and gauges added up, sample by sample; what is shared is counted once."""
    sums: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for metric in (metric for source in sources for metric in source):
        sums.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type, metric.unit))
        sums_of_metric = values.setdefault(metric.name, {})
        for sample in metric.samples:
            key = sample.name, tuple(sample.labels.items())
            known = sums_of_metric.get(key, 0)
            shared = metric.name in _SHARED
            sums_of_metric[key] = max(known, sample.value) if shared else known + sample.value
    for name, metric in sums.items():
        metric.samples = [Sample(sample, dict(labels), value) for (sample, labels), value in values[name].items()]
    return list(sums.values())


def named(worker: str, metrics: Iterable[Metric]) -> Iterator[Metric]:
    """The same with the label `worker` on what is of one process."""
    for metric in metrics:
        if not metric.name.startswith(_PROCESS):
            yield metric
            continue
        labelled = Metric(metric.name, metric.documentation, metric.type, metric.unit)
        labelled.samples = [
            Sample(sample.name, {**sample.labels, "worker": worker}, sample.value) for sample in metric.samples
        ]
        yield labelled


class Retired:
    """What workers that ended had counted: sums since the start never go back."""

    def __init__(self) -> None:
        self.totals: dict[str, int | float] = {}
        self.metrics: list[Metric] = []

    def add(self, report: Report) -> None:
        """Keep the sums of a last report; its gauges are over, and so is its process."""
        self.totals = sum_totals([self.totals, report.status["totals"]])
        counted = [
            metric for metric in report.metrics if metric.type in _ADDED and not metric.name.startswith(_PROCESS)
        ]
        self.metrics = sum_metrics([self.metrics, counted])


def sum_totals(several: Iterable[Mapping[str, int | float]]) -> dict[str, int | float]:
    """Name by name."""
    sums: dict[str, int | float] = {}
    for totals in several:
        for name, value in totals.items():
            sums[name] = sums.get(name, 0) + value
    return sums


def sum_status(own: Mapping[str, Any], documents: Sequence[Mapping[str, Any]], retired: Retired) -> dict[str, object]:
    """The status document of all: `own` is the supervisor's, `documents` are the workers'."""
    totals = sum_totals([own["totals"], retired.totals, *(document["totals"] for document in documents)])
    caches = [document["cache"] for document in documents]
    return {
        **own,
        "totals": totals | {"wait_s": round(totals["wait_s"], 3)},
        "limits": _limits(limit for document in documents for limit in document["limits"]),
        "cache": {name: max((cache[name] for cache in caches), default=0) for name in ("entries", "bytes")},
        "upstream": {name: sum(document["upstream"][name] for document in documents) for name in ("open", "idle")},
    }


def _limits(limits: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    sums: dict[str, dict[str, Any]] = {}
    for limit in limits:
        known = sums.setdefault(limit["key"], {**limit, "queue": 0, "in_flight": 0})
        for name in ("queue", "in_flight"):
            known[name] += limit[name]
    return list(sums.values())
