"""Load on one subject: many small requests by wrk or our own generator, large bodies by a reader of our own."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

from bench.hammer import OPEN, Task
from bench.processes import BenchError, program

SCRIPT = Path(__file__).with_name("load.lua")
HAMMER = Path(__file__).with_name("hammer.py")
WARM_TIMEOUT_S = 15
READ_TIMEOUT_S = 20
ERRORS = ("connect_errors", "read_errors", "write_errors", "timeouts", "bad_statuses")
_BUFFER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Report:
    """What one run of a load generator saw. Latencies are of whole requests."""

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int
    connect_errors: int
    read_errors: int
    write_errors: int
    timeouts: int
    bad_statuses: int

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return self.requests * 1e6 / self.duration_us

    @property
    def failed(self) -> int:
        """Requests and connections that came to nothing."""
        return sum(getattr(self, name) for name in ERRORS)

    @property
    def errors(self) -> tuple[str, ...]:
        """What went wrong and how often."""
        return tuple(f"{name.replace('_', ' ')}: {count}" for name in ERRORS if (count := getattr(self, name)))


@dataclass(frozen=True)
class Transfers:
    """Large bodies, read to their end."""

    requests: int
    bytes_per_second: float


def parse_report(output: str) -> Report:
    """Find the report in a load generator's output. Raises BenchError if it is not there."""
    for line in output.splitlines():
        if line.startswith("REPORT "):
            members = json.loads(line.removeprefix("REPORT "))
            return Report(**{each.name: int(members[each.name]) for each in fields(Report)})
    raise BenchError(f"the load generator gave no report: {output.strip() or 'it said nothing'}")


def small_requests(port: int, url: str, *how: str, connections: int, seconds: int) -> Report:
    """Ask for `url` again and again on kept-alive connections, through whoever listens on `port`.

    `how` is what load.lua takes besides: nothing, "fresh" and a word, or "among" and a number.
    """
    wrk = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", SCRIPT]
    try:
        run = subprocess.run(
            [*wrk, f"http://127.0.0.1:{port}", "--", url, *how],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchError("wrk did not come to an end") from None
    return _answered(run.stdout)


def hammer(task: Task, on_open: Callable[[], None] = lambda: None) -> Report:
    """Let our own generator do a task; `on_open` is called when its connections are open and nothing is asked yet."""
    with subprocess.Popen(
        [sys.executable, HAMMER, json.dumps(asdict(task))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            if process.stdout.readline().strip() != OPEN:
                raise BenchError(f"{HAMMER.name} could not begin")
            on_open()
            return _answered(process.communicate("\n", timeout=task.seconds + 60 + task.count / 100)[0])
        except subprocess.TimeoutExpired:
            raise BenchError(f"{HAMMER.name} did not come to an end") from None
        finally:
            process.kill()


def _answered(output: str) -> Report:
    report = parse_report(output)
    if not report.requests:
        raise BenchError(f"nothing was answered ({', '.join(report.errors) or 'no error either'})")
    return report


def large_bodies(port: int, url: str, size: int, *, fresh: bool, seconds: float) -> Transfers:
    """Read the body at `url` again and again, one after the other, for `seconds` and once at least.

    `fresh` asks for another URL each time (by its query), so that nobody can have it stored. Raises BenchError for an
    answer that is not a 200 with `size` bytes.
    """
    count = 0
    began = time.perf_counter()
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=READ_TIMEOUT_S)) as connection:
        while not count or time.perf_counter() - began < seconds:
            drain(ask(connection, f"{url}?{time.monotonic_ns()}" if fresh else url), size)
            count += 1
    return Transfers(count, count * size / (time.perf_counter() - began))


def warm(port: int, url: str, size: int) -> None:
    """Ask until the answer comes from a cache (it has an Age). Raises BenchError when it never does."""
    give_up = time.monotonic() + WARM_TIMEOUT_S
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=READ_TIMEOUT_S)) as connection:
        while time.monotonic() < give_up:
            response = ask(connection, url)
            drain(response, size)
            if response.getheader("Age") is not None:
                return
            time.sleep(0.05)  # a store may still be writing
    raise BenchError(f"{url} is still not answered from the cache after {WARM_TIMEOUT_S} s")


def ask(connection: HTTPConnection, url: str) -> HTTPResponse:
    """The head of an answer. Raises BenchError unless it is a 200."""
    try:
        connection.request("GET", url)
        response = connection.getresponse()
    except (OSError, HTTPException) as error:
        raise BenchError(f"{url}: {error!r}") from error
    if response.status != 200:
        raise BenchError(f"{url} is answered {response.status}: {response.read(500)!r}")
    return response


def drain(response: HTTPResponse, size: int) -> int:
    """Read a body and throw it away. Raises BenchError unless it has `size` bytes."""
    buffer = bytearray(_BUFFER_BYTES)
    read = 0
    try:
        while count := response.readinto(buffer):
            read += count
    except (OSError, HTTPException) as error:
        raise BenchError(f"the body broke off after {read} bytes: {error!r}") from error
    if read != size:
        raise BenchError(f"the body has {read} bytes instead of {size}")
    return read
