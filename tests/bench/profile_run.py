"""Show which functions the processor time of a hit and of a miss goes to.

    make bench-profile                                           # hits and misses
    make bench-profile ARGS="--rows storable --sort own --top 60"

The profiler (cProfile) makes every call cost more: read the order and the counts, not the microseconds. The main thread
is what it sees.
"""

import argparse
import pstats
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from bench.load import small_requests, warm  # noqa: E402 - a script in a package of the tests' path
from bench.processes import BenchError, end_in_order_on_signals  # noqa: E402 - the same
from bench.subjects import SMALL_BYTES, Origin, Subject, origin, sluicegate  # noqa: E402 - the same

PROFILED = Path(__file__).with_name("profiled.py")
PATHS = {"hits": "/hit", "misses": "/miss", "storable": "/hit"}
CONNECTIONS = 32
WRITTEN_TIMEOUT_S = 30
SORTS = {"own": 2, "cumulative": 3}
"""Where a profile has these times."""

type Profile = dict[tuple[str, int, str], tuple[int, int, float, float, object]]
"""Function (file, line, name) -> calls but for recursive ones, calls, own seconds, seconds with what it called."""


def main() -> int:
    options = parse_arguments()
    end_in_order_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="sluicegate-bench-") as name:
            directory = Path(name)
            directory.chmod(0o755)  # nginx, started by root, works as another user
            output = directory / "profile"
            command = (sys.executable, PROFILED, output)
            with origin(directory) as behind, sluicegate(behind, directory / "proxy", command=command) as subject:
                for row in options.rows:
                    seen, requests = profile(row, subject, behind, options.seconds, output)
                    print(report(seen, requests, row, options.sort, options.top))
    except BenchError as error:
        print(f"bench-profile: {error}", file=sys.stderr)
        return 2
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=lambda text: text.split(","), default=["hits", "misses"], metavar="NAME,...")
    parser.add_argument("--seconds", type=int, default=3, help="how long each row is profiled (3)")
    parser.add_argument("--sort", choices=SORTS, default="own", help="by which time (own)")
    parser.add_argument("--top", type=int, default=40, metavar="N", help="how many functions are shown (40)")
    options = parser.parse_args()
    if unknown := set(options.rows) - set(PATHS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(PATHS)}")
    return options


def profile(row: str, subject: Subject, behind: Origin, seconds: int, output: Path) -> tuple[Profile, int]:
    """What the profiler saw while requests of this row were answered, and how many they were."""
    url = behind.url(PATHS[row])
    if row == "hits":
        warm(subject.port, url, SMALL_BYTES)
    subject.server.settle()
    output.unlink(missing_ok=True)
    subject.server.process.send_signal(signal.SIGUSR1)
    how = ("fresh", "profile") if row == "storable" else ()
    load = small_requests(subject.port, url, *how, connections=CONNECTIONS, seconds=seconds)
    subject.server.settle()
    subject.server.process.send_signal(signal.SIGUSR2)
    give_up = time.monotonic() + WRITTEN_TIMEOUT_S
    while not output.exists():
        subject.server.check_alive()
        if time.monotonic() > give_up:
            raise BenchError(f"no profile after {WRITTEN_TIMEOUT_S} s")
        time.sleep(0.02)  # between two looks
    return pstats.Stats(str(output)).stats, load.requests


def report(seen: Profile, requests: int, row: str, sort: str, top: int) -> str:
    """The functions that cost most, by request."""
    total_us = sum(times[2] for times in seen.values()) * 1e6 / requests
    chosen = sorted(seen.items(), key=lambda item: item[1][SORTS[sort]], reverse=True)[:top]
    lines = [
        f"{row}: {requests:,} requests, {total_us:.0f} µs of Python each",
        "  calls    own µs   with callees  function",
    ]
    lines += [
        f"{calls / requests:7.2f} {own * 1e6 / requests:9.2f} {cumulative * 1e6 / requests:14.2f}  {place(*function)}"
        for function, (_, calls, own, cumulative, _) in chosen
    ]
    return "\n".join([*lines, ""])


def place(file: str, line: int, name: str) -> str:
    """Where a function is: as short as it can be understood."""
    if file == "~":
        return name
    for root in ("/site-packages/", "/src/", "/lib/"):
        if root in file:
            file = file.rpartition(root)[2]
    return f"{file}:{line} {name}"


if __name__ == "__main__":
    raise SystemExit(main())
