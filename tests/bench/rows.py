"""The rows that take turns between subjects: what each asks whom, and how one sample of it is taken."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.figures import Metric, figure
from bench.hammer import Task
from bench.load import Report, hammer, large_bodies, small_requests, warm
from bench.processes import BenchError
from bench.subjects import (
    BIG_BYTES,
    LIMITED_HOST,
    LIMITED_RATE,
    MITMDUMP,
    NGINX,
    SLUICEGATE,
    SMALL_BYTES,
    SQUID,
    TWO_WORKERS,
    Origin,
    Subject,
)
from bench.world import World

CROWD = 1000
CROWD_SECONDS = 2
"""How many times longer a sample of `CROWD` connections takes: opening them is a part of it."""
ASTRAY = 0.01
"""The part of hits that may reach the origin: none should, but no row fails for a handful."""
WARM_TIMEOUT_S = 15


@dataclass(frozen=True)
class Row:
    """One question, asked of its subjects in turns. `hit`: everything has to come from the cache; otherwise nothing may."""

    name: str
    title: str
    path: str
    hit: bool
    subjects: tuple[str, ...]
    take: "Take"
    connections: int = 1
    tls: bool = False
    fresh: bool = False
    """Ask for another URL each time: the response may be stored, and must not have been."""
    quick: bool = True
    """Whether it is measured without `--full`."""

    @property
    def size(self) -> int:
        """The bytes of its body."""
        return BIG_BYTES if self.path.startswith("/big") else SMALL_BYTES

    def metric(self, what: str, unit: str, *, less_is_better: bool = True) -> Metric:
        """A line of this row."""
        return Metric(f"{self.name}.{what.replace(' ', '-')}", f"{self.title}: {what}, {unit}", less_is_better)

    def measure(self, world: World) -> None:
        """Take every sample. Who cannot be brought to the row's start is left out of it."""
        subjects = [subject for name in self.subjects if (subject := world.subject(name)) is not None]
        ready = [subject for subject in subjects if self._prepare(world, subject)]
        for number in range(1, world.rounds + 1):
            told = [f"{subject.name} {self._sample(world, subject, number)}" for subject in ready]
            world.tell(f"{self.name} {number}/{world.rounds}: {', '.join(told)}")
        if self.connections == 1 and self.take is requests:
            for what in ("p50", "p99"):
                added = self.metric(f"added {what}", "µs")
                world.results.record_added(added, self.metric(what, "µs"), NGINX)
        for name in world.absent.intersection(self.subjects):
            world.results.record_absent(self.name, name)

    def _prepare(self, world: World, subject: Subject) -> bool:
        try:
            if self.hit and subject is not world.origin:
                _warm(self, subject, world.origin)
        except BenchError as error:
            self._complain(world, subject, error)
            return False
        return True

    def _sample(self, world: World, subject: Subject, number: int) -> str:
        """Take and record one sample; its first figure, for the one who waits."""
        try:
            taken = sample(self, subject, world.origin, world.seconds)
        except BenchError as error:
            self._complain(world, subject, error)
            return "failed"
        for metric, value in taken.values.items():
            world.results.record(metric, subject.name, number, value)
        world.results.errors += [f"{self.name}, {subject.name}, round {number}: {error}" for error in taken.errors]
        return figure(next(iter(taken.values.values())))

    def _complain(self, world: World, subject: Subject, error: BenchError) -> None:
        """Remember what failed. Raises BenchError, with what the server said last, if it is gone."""
        subject.server.check_alive()
        world.results.errors.append(f"{self.name}, {subject.name}: {error}")


@dataclass(frozen=True)
class Sample:
    """One run on one subject: how many requests it answered, what was measured, what went wrong meanwhile."""

    requests: int
    values: dict[Metric, float]
    errors: tuple[str, ...] = ()


type Take = Callable[[Row, Subject, Origin, int], Sample]
"""Row, subject, origin and seconds -> sample. Raises BenchError when there is nothing to measure."""


def requests(row: Row, subject: Subject, origin: Origin, seconds: int) -> Sample:
    """Requests a second and the processor time of one; at one connection how long it takes, at a thousand how many fail."""
    report, cpu_us = _loaded(row, subject, origin, seconds * (CROWD_SECONDS if row.connections == CROWD else 1))
    values = {
        row.metric("rate", "1/s", less_is_better=False): report.per_second,
        row.metric("CPU of a request", "µs"): cpu_us,
    }
    if row.connections == 1:
        values |= {row.metric("p50", "µs"): report.p50_us, row.metric("p99", "µs"): report.p99_us}
    if row.connections == CROWD:
        return Sample(report.requests, values | {row.metric("errors", "in each round"): report.failed})
    return Sample(report.requests, values, report.errors)


def limited(row: Row, subject: Subject, origin: Origin, seconds: int) -> Sample:
    """Misses with a permit each, beside misses without one."""
    free, free_us = _loaded(row, subject, origin, seconds)
    bound, bound_us = _loaded(row, subject, origin, seconds, host=LIMITED_HOST)
    values = {
        row.metric("rate", "1/s", less_is_better=False): bound.per_second,
        row.metric("÷ unlimited", "rate", less_is_better=False): bound.per_second / free.per_second,
        row.metric("CPU of a permit", "µs"): bound_us - free_us,
    }
    return Sample(free.requests + bound.requests, values, free.errors + bound.errors)


def body(row: Row, subject: Subject, origin: Origin, seconds: int) -> Sample:
    """The throughput of one large body at a time: whole ones, for half the time at least."""
    before = subject.server.settle()
    transfers = large_bodies(subject.port, origin.url(row.path), row.size, fresh=row.fresh, seconds=seconds / 2)
    cpu_ms = (subject.server.settle() - before) * 1e3 / transfers.requests
    values = {
        row.metric("rate", "MB/s", less_is_better=False): transfers.bytes_per_second / 1e6,
        row.metric("CPU of a body", "ms"): cpu_ms,
    }
    return Sample(transfers.requests, values)


def sample(row: Row, subject: Subject, origin: Origin, seconds: int) -> Sample:
    """Take one sample, and ask the origin whether it was one of what the row is about."""
    before = origin.count()
    taken = row.take(row, subject, origin, seconds)
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


def _loaded(
    row: Row, subject: Subject, origin: Origin, seconds: int, *, host: str = "127.0.0.1"
) -> tuple[Report, float]:
    """Small requests, and the processor time of one with what it left to do (microseconds)."""
    before = [subject.server.settle()]
    if row.tls:
        query = f"?{time.monotonic_ns()}-{{n}}" if row.fresh else ""
        direct = subject is origin
        port = origin.tls_port if direct else subject.port
        task = Task(
            port, origin.tls_port, row.path + query, row.size, row.connections, seconds, tls=True, direct=direct
        )
        report = hammer(task, lambda: before.append(subject.server.settle()))
    else:
        how = ("fresh", str(time.monotonic_ns())) if row.fresh else ()
        url = origin.url(row.path, host)
        report = small_requests(subject.port, url, *how, connections=row.connections, seconds=seconds)
    return report, (subject.server.settle() - before[-1]) * 1e6 / report.requests


def _warm(row: Row, subject: Subject, origin: Origin) -> None:
    """Ask until answers come from the cache. Raises BenchError when they never do."""
    if not row.tls:
        warm(subject.port, origin.url(row.path), row.size)
        return
    give_up = time.monotonic() + WARM_TIMEOUT_S
    task = Task(subject.port, origin.tls_port, row.path, row.size, count=1, tls=True)
    while True:
        before = origin.count()
        hammer(task)
        if origin.count() - before == 1:
            return
        if time.monotonic() > give_up:
            raise BenchError(f"https {row.path} is still not answered from the cache after {WARM_TIMEOUT_S} s")


def _small(kind: str, title: str, path: str, *, hit: bool = False, fresh: bool = False) -> list[Row]:
    """The rows of one kind of small request, on 1, 32 and 1000 connections, plain and inside TLS."""
    rows = []
    for tls in (False, True):
        for connections in (1, 32, CROWD):
            name = f"{'tls-' if tls else ''}{kind}-{connections}"
            subjects = (
                SLUICEGATE,
                *([TWO_WORKERS] if connections > 1 else []),
                *([] if tls else [SQUID]),
                *([MITMDUMP] if not hit and (tls or (kind == "misses" and connections < CROWD)) else []),
                *([NGINX] if connections == 1 or (connections < CROWD and kind != "storable" and not tls) else []),
            )
            where = "1 connection" if connections == 1 else f"{connections} connections"
            rows.append(
                Row(
                    name,
                    f"{title}{' in TLS' if tls else ''}, {where}",
                    path,
                    hit=hit,
                    subjects=subjects,
                    take=requests,
                    connections=connections,
                    tls=tls,
                    fresh=fresh,
                    quick=name in QUICK,
                )
            )
    return rows


QUICK = frozenset(
    {"hits-1", "hits-32", "hits-1000", "misses-1", "misses-32", "misses-1000", "storable-32"}
    | {"tls-hits-32", "tls-misses-32"}
)
"""The small requests that are measured without `--full`."""

ROWS = (
    *_small("hits", "hits", "/hit", hit=True),
    *_small("misses", "misses", "/miss"),
    *_small("storable", "storable misses", "/hit", fresh=True),
    Row(
        "limited",
        f"misses with a limit of {LIMITED_RATE}",
        "/miss",
        hit=False,
        subjects=(SLUICEGATE,),
        take=limited,
        connections=32,
    ),
    Row("body-hit", "256 MiB hit", "/big", hit=True, subjects=(SLUICEGATE, SQUID, NGINX), take=body),
    Row(
        "body-miss",
        "256 MiB miss",
        "/big-miss",
        hit=False,
        subjects=(SLUICEGATE, SQUID, MITMDUMP),
        take=body,
    ),
    Row(
        "body-storable",
        "256 MiB storable miss",
        "/big",
        hit=False,
        subjects=(SLUICEGATE, SQUID),
        take=body,
        fresh=True,
    ),
)
