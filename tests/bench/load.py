"""Load on one subject: many small requests by wrk, large bodies by a reader of our own."""

import contextlib
import json
import subprocess
import time
from dataclasses import dataclass, fields
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

from bench.processes import BenchError, program

SCRIPT = Path(__file__).with_name("load.lua")
WARM_TIMEOUT_S = 15
READ_TIMEOUT_S = 60
_BUFFER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Report:
    """What one run of wrk saw. Latencies are of whole requests."""

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
    def errors(self) -> tuple[str, ...]:
        """What went wrong and how often."""
        names = ("connect_errors", "read_errors", "write_errors", "timeouts", "bad_statuses")
        return tuple(f"{name.replace('_', ' ')}: {count}" for name in names if (count := getattr(self, name)))


@dataclass(frozen=True)
class Transfers:
    """Large bodies, read to their end."""

    requests: int
    bytes_per_second: float


def parse_report(output: str) -> Report:
    """Find what load.lua wrote in wrk's output. Raises BenchError if it is not there."""
    for line in output.splitlines():
        if line.startswith("REPORT "):
            members = json.loads(line.removeprefix("REPORT "))
            return Report(**{each.name: int(members[each.name]) for each in fields(Report)})
    raise BenchError(f"wrk gave no report: {output.strip() or 'it said nothing'}")


def small_requests(port: int, url: str, *, connections: int, seconds: int) -> Report:
    """Ask for `url` again and again on kept-alive connections, through whoever listens on `port`."""
    command = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", SCRIPT]
    try:
        run = subprocess.run(
            [*command, f"http://127.0.0.1:{port}", "--", url],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds + 30,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchError("wrk did not come to an end") from None
    report = parse_report(run.stdout)
    if not report.requests:
        raise BenchError(f"nothing was answered in {seconds} s ({', '.join(report.errors) or 'no error either'})")
    return report


def large_bodies(port: int, url: str, size: int, *, fresh: bool, seconds: int) -> Transfers:
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
