"""The rows that take no turns under load: start-up, memory, the size of the store, and rooms by themselves."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.figures import Metric
from bench.hammer import Task
from bench.load import hammer, small_requests, warm
from bench.processes import BenchError
from bench.rows import Row, misled
from bench.subjects import (
    BIG_BYTES,
    MITMDUMP,
    PROXIES,
    SLUICEGATE,
    SMALL_BYTES,
    SQUID,
    TWO_WORKERS,
    Subject,
    Unavailable,
)
from bench.world import World
from support.proxy import clean_environ

MIB = 1024 * 1024
INSIDE = Path(__file__).with_name("inside.py")
INSIDE_TIMEOUT_S = 300
HOSTS = 10_000
CONNECTIONS = 32
SLOW_CLIENTS = 50
SLOW_READ_BYTES = 16 * 1024
SLOW_EVERY_S = 0.05
SLOW_FOR_S = {False: 2.0, True: 10.0}
"""How long slow clients read, without and with `--full`."""
FILL_PATIENCE_S = 60
"""How long a cache may go on writing what it was filled with."""


@dataclass(frozen=True)
class Probe:
    """One question that each of its subjects is asked by itself."""

    name: str
    ask: Callable[[World, str], None]
    """World, name of the row."""
    quick: bool = True
    alone: bool = False
    """It needs no origin."""
    subjects: tuple[str, ...] = ()
    """Those running proxies that it needs: none, it starts its own."""

    def measure(self, world: World) -> None:
        """Take every sample; what fails is remembered."""
        began = time.monotonic()
        try:
            self.ask(world, self.name)
        except BenchError as error:
            world.results.errors.append(f"{self.name}: {error}")
        world.tell(f"{self.name}: took {time.monotonic() - began:.1f} s")


def start_up(world: World, row: str) -> None:
    """How long a proxy takes until it serves: the first time, when it makes its authority, and every other."""
    first = Metric(f"{row}.first", "first start until ready, ms", less_is_better=True)
    later = Metric(f"{row}.later", "start until ready, ms", less_is_better=True)
    names = (SLUICEGATE, SQUID, MITMDUMP)
    homes = {name: world.home(f"{row}-{name}") for name in names}
    for number in range(world.rounds):
        for name in names:
            with PROXIES[name](world.origin, homes[name]) as subject:
                world.results.record(later if number else first, name, number or 1, subject.server.started_s * 1e3)


def help_text(world: World, row: str) -> None:
    """How long `--help` takes, beside an interpreter that does nothing."""
    commands = {
        Metric(f"{row}.sluicegate", "sluicegate --help, ms", less_is_better=True): [
            Path(sys.executable).with_name("sluicegate"),
            "--help",
        ],
        Metric(f"{row}.python", "python -c pass, ms", less_is_better=True): [sys.executable, "-c", "pass"],
    }
    for number in range(1, 2 * world.rounds + 2):
        for metric, command in commands.items():
            began = time.perf_counter()
            ended = subprocess.run(command, stdout=subprocess.DEVNULL, check=False, env=clean_environ())
            if ended.returncode:
                raise BenchError(f"{command[0]} ended with exit code {ended.returncode}")
            world.results.record(metric, SLUICEGATE, number, (time.perf_counter() - began) * 1e3)


def memory(world: World, row: str) -> None:
    """What is resident before the first request, after one to each of many hosts, and while slow clients read."""
    idle = Metric(f"{row}.idle", "resident when idle, MiB", less_is_better=True)
    after = Metric(f"{row}.hosts", f"resident after {HOSTS:,} hosts, MiB", less_is_better=True)
    peak = Metric(f"{row}.slow", f"most resident, {SLOW_CLIENTS} slow readers of 256 MiB, MiB", less_is_better=True)
    for name in (SLUICEGATE, TWO_WORKERS, SQUID, MITMDUMP):
        try:
            with PROXIES[name](world.origin, world.home(f"{row}-{name}")) as subject:
                subject.server.settle()
                world.results.record(idle, name, 1, subject.server.resident_bytes() / MIB)
                if name in (SLUICEGATE, SQUID):
                    ask_many_hosts(world, subject)
                    world.results.record(after, name, 1, subject.server.resident_bytes() / MIB)
        except Unavailable:
            world.results.absent.setdefault(idle, set()).add(name)
    for name in (SLUICEGATE, SQUID):
        with PROXIES[name](world.origin, world.home(f"{row}-slow-{name}")) as subject:
            most = slow_clients(subject, world.origin.url("/big"), SLOW_FOR_S[world.full])
            world.results.record(peak, name, 1, most / MIB)


def ask_many_hosts(world: World, subject: Subject) -> None:
    """One request to each of many hosts, all of them the origin."""
    task = Task(
        subject.port, world.origin.port, "/miss", SMALL_BYTES, connections=CONNECTIONS, count=HOSTS, host="127.{n}"
    )
    report = hammer(task)
    if report.errors:
        raise BenchError(f"{subject.name}, {HOSTS:,} hosts: {', '.join(report.errors)}")
    subject.server.settle()


def slow_clients(subject: Subject, url: str, seconds: float) -> int:
    """The most that a server has resident while many clients read a large hit slowly (bytes)."""
    warm(subject.port, url, BIG_BYTES)
    subject.server.settle()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.socket()) for _ in range(SLOW_CLIENTS)]
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_READ_BYTES)
            client.settimeout(10)
            client.connect(("127.0.0.1", subject.port))
            client.sendall(f"GET {url} HTTP/1.1\r\nHost: {url.split('/')[2]}\r\n\r\n".encode())
        most, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            for client in clients:
                if not client.recv(SLOW_READ_BYTES):
                    raise BenchError(f"{subject.name} left a slow client alone")
            most = max(most, subject.server.resident_bytes())
            time.sleep(SLOW_EVERY_S)  # this is what makes them slow
        return most


def entries(world: World, row: str, *, count: int) -> None:
    """Hits a second when so many responses are stored and any of them may be asked for."""
    words = f"hits among {count:,} entries, {CONNECTIONS} connections"
    rate = Metric(f"{row}.rate", f"{words}: rate, 1/s")
    cpu = Metric(f"{row}.CPU", f"{words}: CPU of a request, µs", less_is_better=True)
    # Squid keeps small bodies in memory only, as far as 256 MB go; more would measure its disk.
    names = (SLUICEGATE, SQUID) if count <= HOSTS else (SLUICEGATE,)
    with contextlib.ExitStack() as stack:
        subjects = [stack.enter_context(PROXIES[name](world.origin, world.home(f"{row}-{name}"))) for name in names]
        for subject in subjects:
            fill(world, subject, count)
        for number in range(1, world.rounds + 1):
            for subject in subjects:
                cpu_before = subject.server.settle()
                served_before = world.origin.count()
                report = small_requests(
                    subject.port,
                    world.origin.url("/hit"),
                    "among",
                    str(count),
                    connections=CONNECTIONS,
                    seconds=world.seconds,
                )
                cpu_us = (subject.server.settle() - cpu_before) * 1e6 / report.requests
                world.results.record(rate, subject.name, number, report.per_second)
                world.results.record(cpu, subject.name, number, cpu_us)
                complaint = misled(HITS, report.requests, world.origin.count() - served_before - 1)
                wrong = (*report.errors, *([complaint] if complaint else []))
                world.results.errors += [f"{row}, {subject.name}, round {number}: {error}" for error in wrong]


HITS = Row("entries", "", "/hit", hit=True, subjects=(), take=lambda *_: None)
"""What `misled` is to judge by."""


def fill(world: World, subject: Subject, count: int) -> None:
    """Have so many responses stored."""
    task = Task(subject.port, world.origin.port, "/hit?{n}", SMALL_BYTES, connections=CONNECTIONS, count=count)
    report = hammer(task)
    if report.errors:
        raise BenchError(f"{subject.name} could not be filled: {', '.join(report.errors)}")
    subject.server.settle(FILL_PATIENCE_S)


def inside(world: World, row: str, *, room: str, count: int, title: str) -> None:
    """A room of Sluicegate by itself; what `inside.py` prints, once (it measures thousands of times) or once a round."""
    for number in range(1, (world.rounds if world.full else 1) + 1):
        command = [sys.executable, INSIDE, room, world.home(f"{row}-{number}"), str(count)]
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, check=False, env=clean_environ(), timeout=INSIDE_TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            raise BenchError("it did not come to an end") from None
        if ended.returncode:
            raise BenchError(ended.stderr.strip()[-2000:])
        for what, value in json.loads(ended.stdout).items():
            metric = Metric(f"{row}.{what.replace(' ', '-')}", f"{title}: {what}, µs", less_is_better=True)
            world.results.record(metric, SLUICEGATE, number, value)


def _limiter(hosts: int) -> Probe:
    title = f"permit, {hosts:,} host{'s' * (hosts > 1)}"
    return _inside(f"limiter-{hosts}", "limiter", hosts, title)


def _inside(name: str, room: str, count: int, title: str) -> Probe:
    return Probe(name, partial(inside, room=room, count=count, title=title), alone=True)


PROBES = (
    *(Probe(f"entries-{count}", partial(entries, count=count), quick=count <= HOSTS) for count in (100, 10_000, 10**6)),
    *(_limiter(hosts) for hosts in (1, 100, HOSTS)),
    _inside("queue", "queue", 10_000, "a request's way through the queue"),
    _inside("store", "store", 2_000, "cache store"),
    Probe("memory", memory),
    Probe("start", start_up),
    Probe("help", help_text, alone=True),
)
