"""The rows of the benchmark: what each asks whom, and how one sample of it is taken."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.figures import Metric, Results
from bench.load import large_bodies, small_requests, warm
from bench.subjects import (
    BIG_BYTES,
    LIMITED_HOST,
    LIMITED_RATE,
    MITMDUMP,
    NGINX,
    SLUICEGATE,
    SMALL_BYTES,
    SQUID,
    Origin,
    Subject,
)

CONNECTIONS = 32
ASTRAY = 0.01
"""The part of hits that may reach the origin: none should, but no row fails for a handful."""

EVERYONE = (SLUICEGATE, SQUID, MITMDUMP, NGINX)
CACHES = (SLUICEGATE, SQUID, NGINX)

MEMORY_IDLE = Metric("memory-idle", "memory before, MiB", less_is_better=True)
MEMORY_AFTER = Metric("memory-after", "memory after, MiB", less_is_better=True)


@dataclass(frozen=True)
class Row:
    """One question. `hit`: everything has to come from the cache; otherwise nothing may."""

    name: str
    path: str
    hit: bool
    subjects: tuple[str, ...]
    take: "Take"
    host: str = "127.0.0.1"

    @property
    def kind(self) -> str:
        """What it is a row of."""
        return "hit" if self.hit else "miss"

    @property
    def size(self) -> int:
        """The bytes of its body."""
        return BIG_BYTES if self.path == "/big" else SMALL_BYTES


@dataclass(frozen=True)
class Sample:
    """One run on one subject: how many requests it answered, what was measured, what went wrong meanwhile."""

    requests: int
    values: dict[Metric, float]
    errors: tuple[str, ...] = ()


type Take = Callable[[Row, Subject, str, int], Sample]
"""Row, subject, URL and seconds -> sample. Raises BenchError when there is nothing to measure."""


def throughput(row: Row, subject: Subject, url: str, seconds: int) -> Sample:
    """Requests a second at `CONNECTIONS` connections, and what one costs the subject's processors."""
    cpu_before = subject.server.cpu_s()
    report = small_requests(subject.port, url, connections=CONNECTIONS, seconds=seconds)
    cpu_us = (subject.server.cpu_s() - cpu_before) * 1e6 / report.requests
    note = f", limit {LIMITED_RATE}" if row.host == LIMITED_HOST else ""
    rate = Metric(f"{row.name}.rate", f"{row.kind} rate{note}, 1/s")
    cpu = Metric(f"{row.name}.cpu", f"CPU of a {row.kind}{note}, µs", less_is_better=True)
    return Sample(report.requests, {rate: report.per_second, cpu: cpu_us}, report.errors)


def latency(row: Row, subject: Subject, url: str, seconds: int) -> Sample:
    """How long a request takes on a single connection."""
    report = small_requests(subject.port, url, connections=1, seconds=seconds)
    values = dict(zip(latency_metrics(row), (report.p50_us, report.p99_us), strict=True))
    return Sample(report.requests, values, report.errors)


def body(row: Row, subject: Subject, url: str, seconds: int) -> Sample:
    """The throughput of one large body at a time."""
    metric = Metric(row.name, f"64 MiB body, {row.kind}, MB/s")
    transfers = large_bodies(subject.port, url, row.size, fresh=not row.hit, seconds=seconds)
    return Sample(transfers.requests, {metric: transfers.bytes_per_second / 1e6})


ROWS = (
    Row("misses", "/miss", hit=False, subjects=EVERYONE, take=throughput),
    Row("hits", "/hit", hit=True, subjects=CACHES, take=throughput),
    Row("limited", "/miss", hit=False, subjects=(SLUICEGATE, SQUID, NGINX), take=throughput, host=LIMITED_HOST),
    Row("body-miss", "/big", hit=False, subjects=EVERYONE, take=body),
    Row("body-hit", "/big", hit=True, subjects=CACHES, take=body),
    Row("latency-miss", "/miss", hit=False, subjects=EVERYONE, take=latency),
    Row("latency-hit", "/hit", hit=True, subjects=CACHES, take=latency),
)


def latency_metrics(row: Row, prefix: str = "") -> list[Metric]:
    """The median and the slow end."""
    return [
        Metric(f"{row.name}.{prefix}{quantile}", f"{prefix}{quantile} of a {row.kind}, µs", less_is_better=True)
        for quantile in ("p50", "p99")
    ]


def prepare(row: Row, subject: Subject, origin: Origin) -> None:
    """Bring the subject where the row starts. Raises BenchError when it does not get there."""
    if row.hit and subject is not origin:
        warm(subject.port, origin.url(row.path, row.host), row.size)


def sample(row: Row, subject: Subject, origin: Origin, seconds: int) -> Sample:
    """Take one sample, and ask the origin whether it was one of what the row is about."""
    before = origin.count()
    taken = row.take(row, subject, origin.url(row.path, row.host), seconds)
    served = origin.count() - before - 1  # the second count is one of them
    if subject is origin or (complaint := misled(row, taken.requests, served)) is None:
        return taken
    return replace(taken, errors=(*taken.errors, complaint))


def misled(row: Row, requests: int, served: int) -> str | None:
    """Why a sample is not of hits, or of misses, given how many requests the origin served meanwhile."""
    if row.hit and served > ASTRAY * requests:
        return f"{served} of {requests} requests that should have been hits reached the origin"
    if not row.hit and served < requests:
        return f"only {served} of {requests} requests that should have been misses reached the origin"
    return None


def record_added_latency(row: Row, results: Results) -> None:
    """What the proxies add to the latency of the origin asked directly."""
    if row.take is latency:
        for over, metric in zip(latency_metrics(row), latency_metrics(row, "added "), strict=True):
            results.record_added(metric, over, NGINX)
