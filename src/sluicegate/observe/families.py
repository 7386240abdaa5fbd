"""Families of samples as Prometheus reads them, filled at the moment when it asks."""

import itertools
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric


class Counter:
    """A counter with label values as its key. `name` without `_total`."""

    def __init__(self, name: str, help_text: str, *labels: str) -> None:
        self.name = name
        self._help = help_text
        self._labels = labels
        self._values: dict[tuple[str, ...], float] = {}
        if not labels:
            self._values[()] = 0

    def add(self, *labels: str, amount: float = 1) -> None:
        """Count `amount` more under these label values."""
        self._values[labels] = self._values.get(labels, 0) + amount

    def collect(self) -> Iterator[Metric]:
        """The family with its samples."""
        family = CounterMetricFamily(self.name, self._help, labels=self._labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family


class Histogram:
    """Durations in seconds, sorted into buckets that end at `buckets`."""

    def __init__(self, name: str, help_text: str, *labels: str, buckets: Sequence[float]) -> None:
        self.name = name
        self._help = help_text
        self._labels = labels
        self._names = [*(str(bound) for bound in buckets), "+Inf"]
        self._series: dict[tuple[str, ...], tuple[list[int], float]] = {}

    def add(self, counts: Sequence[int], total_s: float, *labels: str) -> None:
        """Add so many to each bucket, the last of which has no bound, and so many seconds to the sum."""
        before, seconds = self._series.get(labels, ([0] * len(self._names), 0.0))
        sums = [old + new for old, new in zip(before, counts, strict=True)]
        self._series[labels] = (sums, seconds + total_s)

    def collect(self) -> Iterator[Metric]:
        """The family with its samples; each bucket counts what is in those below, too."""
        family = HistogramMetricFamily(self.name, self._help, labels=self._labels)
        for labels, (counts, total_s) in self._series.items():
            cumulative = [float(count) for count in itertools.accumulate(counts)]
            family.add_metric(labels, list(zip(self._names, cumulative, strict=True)), total_s)
        yield family
