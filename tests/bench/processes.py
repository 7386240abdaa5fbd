"""Servers as child processes: started, waited for, ended whatever happens, and weighed through /proc."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from support.proxy import clean_environ

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10
LOOK_AGAIN_S = 0.002
"""Between two looks whether a server is ready: what its start-up time is exact to."""
QUIET_S = 0.05
QUIET_CPU_S = 0.015
"""A server is at rest when it used less processor time than this (one tick, and a bit) in `QUIET_S`."""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class BenchError(Exception):
    """Something that keeps the benchmark, or one sample of it, from being taken; the message is for its user."""


@dataclass(frozen=True)
class Stat:
    """What /proc/PID/stat says of one process, all its threads together."""

    pid: int
    parent: int
    cpu_s: float
    resident_bytes: int


def parse_stat(text: str) -> Stat:
    """Read a line of /proc/PID/stat. The command's name, in parentheses, may hold anything, parentheses too."""
    pid, _, rest = text.partition(" (")
    words = rest.rpartition(") ")[2].split()
    # proc(5) counts from 1 and `words` starts at field 3: ppid is 4, utime 14, stime 15, rss 24
    ticks = int(words[11]) + int(words[12])
    return Stat(int(pid), int(words[1]), ticks / TICKS_PER_S, int(words[21]) * PAGE_BYTES)


def family(pid: int, everyone: Sequence[Stat]) -> list[Stat]:
    """A process and its descendants, among `everyone`."""
    members = [stat for stat in everyone if stat.pid == pid]
    for member in members:  # grows while it is walked
        members += [stat for stat in everyone if stat.parent == member.pid]
    return members


def read_stats() -> list[Stat]:
    """All processes of the machine."""
    stats = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                stats.append(parse_stat((directory / "stat").read_text(errors="replace")))
    return stats


@dataclass(frozen=True)
class Server:
    """A process that serves, with its children."""

    name: str
    process: subprocess.Popen[bytes]
    output: Path
    started_s: float
    """How long it took from its start until it was ready (seconds)."""

    def cpu_s(self) -> float:
        """The processor time it has used so far (seconds)."""
        return sum(stat.cpu_s for stat in family(self.process.pid, read_stats()))

    def resident_bytes(self) -> int:
        """The memory it has resident now."""
        return sum(stat.resident_bytes for stat in family(self.process.pid, read_stats()))

    def settle(self, patience_s: float = 2.0) -> float:
        """Wait until it is at rest, for `patience_s` at most; the processor time it has used by then (seconds)."""
        give_up = time.monotonic() + patience_s
        before = self.cpu_s()
        while True:
            time.sleep(QUIET_S)  # the measure is processor time over a while
            now = self.cpu_s()
            if now - before < QUIET_CPU_S or time.monotonic() > give_up:
                return now
            before = now

    def check_alive(self) -> None:
        """Raise BenchError if it has ended."""
        _check_alive(self.name, self.process, self.output)


@contextlib.contextmanager
def serving(
    name: str,
    command: Sequence[str | Path],
    ready: Callable[[], bool],
    directory: Path,
    *,
    ended_by: signal.Signals = signal.SIGTERM,
) -> Iterator[Server]:
    """Start a server and wait until it is ready; end it on the way out.

    It leads a process group of its own: Ctrl-C reaches only the benchmark, which then ends everything in order.
    """
    output = directory / f"{name}.out"
    began = time.perf_counter()
    with output.open("wb") as sink:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True, env=clean_environ()
        )
    try:
        _await(name, process, output, ready)
        yield Server(name, process, output, time.perf_counter() - began)
    finally:
        process.send_signal(ended_by)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
        with contextlib.suppress(ProcessLookupError):  # nobody of its group is left, which is the rule
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(name: str, process: subprocess.Popen[bytes], output: Path, ready: Callable[[], bool]) -> None:
    give_up = time.monotonic() + START_TIMEOUT_S
    while not ready():
        _check_alive(name, process, output)
        if time.monotonic() > give_up:
            raise BenchError(f"{name} was not ready after {START_TIMEOUT_S} s; it said: {_told(output)}")
        time.sleep(LOOK_AGAIN_S)
    _check_alive(name, process, output)


def _check_alive(name: str, process: subprocess.Popen[bytes], output: Path) -> None:
    if process.poll() is not None:
        raise BenchError(f"{name} ended with exit code {process.returncode}: {_told(output)}")


def _told(output: Path) -> str:
    return output.read_text(errors="replace")[-2000:].strip() or "no message"


def end_in_order_on_signals() -> None:
    """Turn the first ending signal into SystemExit, which unwinds everything; ignore those that follow."""

    def end(number: int, _frame: FrameType | None) -> None:
        for each in ENDING_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for each in ENDING_SIGNALS:
        signal.signal(each, end)


def program(name: str) -> Path:
    """Where a program is. Raises BenchError if it is not installed."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise BenchError(f"{name} is not installed: `make bench` does that, and so does scripts/test-programs {name}")
    return Path(found)


def free_ports(count: int) -> list[int]:
    """Different ports that nothing listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def accepts(port: int) -> bool:
    """Whether something listens on a port of loopback."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
