"""Measure Sluicegate beside Squid, mitmdump and the bare origin, in one run on this machine.

    make bench                                            # everything
    make bench ARGS="--quick"                             # rounds of one second
    make bench ARGS="--only misses --only hits --rounds 9"

What the rows mean, and what to trust: docs/benchmarks.md. Nothing here judges speed; the exit code is 1 if a request
failed or a row did not measure what it says, 2 if the benchmark could not start.
"""

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from bench.figures import Results, as_json, figure, table  # noqa: E402 - a script in a package of the tests' path
from bench.processes import BenchError, end_in_order_on_signals  # noqa: E402 - the same
from bench.rows import (  # noqa: E402 - the same
    MEMORY_AFTER,
    MEMORY_IDLE,
    ROWS,
    Row,
    prepare,
    record_added_latency,
    sample,
)
from bench.subjects import NGINX, PROXIES, SQUID, Origin, Subject, origin  # noqa: E402 - the same

MIB = 1024 * 1024
BUSY = 0.25
"""A load average above this part of the processors, before the start, is worth a warning."""


def main() -> int:
    options = parse_arguments()
    end_in_order_on_signals()
    rows = [row for row in ROWS if not options.only or row.name in options.only]
    results = Results()
    load_before = os.getloadavg()
    try:
        with contextlib.ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluicegate-bench-")))
            directory.chmod(0o755)  # nginx and Squid, started by root, work as other users
            behind, proxies = start(rows, directory, stack)
            Bench(behind, proxies, options.seconds, options.rounds, results).run(rows)
    except BenchError as error:
        results.errors.append(str(error))
    if not results.samples:
        print(f"bench: {results.errors[0]}", file=sys.stderr)
        return 2
    order = [name for name in (*PROXIES, NGINX) if any(name in samples for samples in results.samples.values())]
    print(table(results, order, SQUID))
    write_json(options, results, load_before)
    if load_before[0] > BUSY * (os.cpu_count() or 1):
        print(
            f"bench: others kept the machine busy (load {load_before[0]:.1f}): do not trust the figures",
            file=sys.stderr,
        )
    for complaint in results.errors:
        print(f"bench: {complaint}", file=sys.stderr)
    return 1 if results.errors else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="rounds of one second, three of them")
    parser.add_argument("--seconds", type=positive, help="how long a sample takes (5)")
    parser.add_argument("--rounds", type=positive, help="how many samples of each subject a row has (5)")
    parser.add_argument("--only", action="append", metavar="ROW", choices=[row.name for row in ROWS], help=only_help())
    parser.add_argument("--json", type=Path, metavar="FILE", default=ROOT / ".bench" / "result.json")
    options = parser.parse_args()
    options.seconds = options.seconds or (1 if options.quick else 5)
    options.rounds = options.rounds or (3 if options.quick else 5)
    return options


def positive(text: str) -> int:
    """A whole number above zero."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def only_help() -> str:
    return f"measure this row; may be given several times: {', '.join(row.name for row in ROWS)}"


def start(rows: list[Row], directory: Path, stack: contextlib.ExitStack) -> tuple[Origin, dict[str, Subject]]:
    """The origin, and those proxies that the rows need."""
    needed = {name for row in rows for name in row.subjects}
    behind = stack.enter_context(origin(directory))
    return behind, {name: stack.enter_context(begin(directory)) for name, begin in PROXIES.items() if name in needed}


@dataclass(frozen=True)
class Bench:
    """The servers, how long to ask them, and where the samples go."""

    origin: Origin
    proxies: dict[str, Subject]
    seconds: int
    rounds: int
    results: Results

    def run(self, rows: list[Row]) -> None:
        """Take every sample: row by row, in each row round by round, in each round subject by subject."""
        for subject in self.proxies.values():
            self.results.record(MEMORY_IDLE, subject.name, 0, subject.idle_bytes / MIB)
        for row in rows:
            self.run_row(row)
            record_added_latency(row, self.results)
        for subject in self.proxies.values():
            self.results.record(MEMORY_AFTER, subject.name, 0, subject.server.resident_bytes() / MIB)

    def run_row(self, row: Row) -> None:
        """All rounds of one row. Who cannot be brought to its start is left out of it."""
        subjects = [{**self.proxies, NGINX: self.origin}[name] for name in row.subjects]
        ready = [subject for subject in subjects if self.prepare(row, subject)]
        for number in range(1, self.rounds + 1):
            told = [f"{subject.name} {self.take(row, subject, number)}" for subject in ready]
            print(f"{row.name} {number}/{self.rounds}: {', '.join(told)}", file=sys.stderr)

    def prepare(self, row: Row, subject: Subject) -> bool:
        """Whether a row can begin for a subject."""
        try:
            prepare(row, subject, self.origin)
        except BenchError as error:
            self.complain(row, subject, error)
            return False
        return True

    def take(self, row: Row, subject: Subject, number: int) -> str:
        """Take and record one sample; its figure, for the one who waits."""
        try:
            taken = sample(row, subject, self.origin, self.seconds)
        except BenchError as error:
            self.complain(row, subject, error)
            return "failed"
        for metric, value in taken.values.items():
            self.results.record(metric, subject.name, number, value)
        self.results.errors += [f"{row.name}, {subject.name}, round {number}: {error}" for error in taken.errors]
        return figure(next(iter(taken.values.values())))

    def complain(self, row: Row, subject: Subject, error: BenchError) -> None:
        """Remember what failed. Raises BenchError, with what the server said last, if it is gone."""
        subject.server.check_alive()
        self.results.errors.append(f"{row.name}, {subject.name}: {error}")


def write_json(options: argparse.Namespace, results: Results, load_before: tuple[float, float, float]) -> None:
    """All samples, with what is needed to compare them with another run's."""
    content = {
        "seconds": options.seconds,
        "rounds": options.rounds,
        "machine": {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "mitmproxy": version("mitmproxy"),
            "load_before": load_before,
            "load_after": os.getloadavg(),
        },
        "metrics": as_json(results, SQUID),
        "errors": results.errors,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
