"""Counters and histograms as plain dicts, read out when Prometheus asks: an increment costs a tenth of a microsecond."""

from bisect import bisect_left
from collections.abc import Iterator

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
        """The family with its samples of this moment."""
        family = CounterMetricFamily(self.name, self._help, labels=self._labels)
        for labels, value in list(self._values.items()):
            family.add_metric(labels, value)
        yield family


class Histogram:
    """Durations in seconds, sorted into buckets."""

    def __init__(self, name: str, help_text: str, *labels: str, buckets: tuple[float, ...]) -> None:
        self.name = name
        self._help = help_text
        self._labels = labels
        self._bounds = buckets
        self._names = [*(str(bound) for bound in buckets), "+Inf"]
        self._series: dict[tuple[str, ...], _Series] = {}

    def observe(self, value: float, *labels: str) -> None:
        """Sort `value` in."""
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = _Series(len(self._names))
        series.counts[bisect_left(self._bounds, value)] += 1
        series.total += value

    def collect(self) -> Iterator[Metric]:
        """The family with its samples of this moment."""
        family = HistogramMetricFamily(self.name, self._help, labels=self._labels)
        for labels, series in list(self._series.items()):
            family.add_metric(labels, list(zip(self._names, series.cumulative(), strict=True)), series.total)
        yield family


class _Series:
    __slots__ = ("counts", "total")

    def __init__(self, size: int) -> None:
        self.counts = [0] * size
        self.total = 0.0

    def cumulative(self) -> Iterator[float]:
        below = 0
        for count in self.counts:
            below += count
            yield below
