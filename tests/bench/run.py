"""Measure Sluicegate beside Squid, mitmdump and the bare origin, in one run on this machine.

    make bench                                          # the main rows, within four minutes
    make bench ARGS="--full"                            # every row, longer and more rounds
    make bench ARGS="--rows hits,misses-32 --rounds 9"  # some rows
    make bench ARGS="--full --picture"                  # and draw docs/bench.svg

What the rows mean, and what to trust: docs/benchmarks.md. Nothing here judges speed; the exit code is 1 if a request
failed or a row did not measure what it says, 2 if the benchmark could not start.
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from bench.figures import Comparison, Results, as_json, table  # noqa: E402 - a script in a package of the tests' path
from bench.picture import draw  # noqa: E402 - the same
from bench.probes import PROBES, Probe  # noqa: E402 - the same
from bench.processes import BenchError, end_in_order_on_signals, program  # noqa: E402 - the same
from bench.rows import ROWS, Row  # noqa: E402 - the same
from bench.subjects import (  # noqa: E402 - the same
    MITMDUMP,
    NGINX,
    PROXIES,
    SLUICEGATE,
    SQUID,
    TWO_WORKERS,
    Unavailable,
    origin,
)
from bench.world import World  # noqa: E402 - the same

ALL = (*ROWS, *PROBES)
COMPARISONS = (
    Comparison(SLUICEGATE, SQUID, "÷Squid"),
    Comparison(TWO_WORKERS, SQUID, "2w ÷Squid"),
    Comparison(SLUICEGATE, MITMDUMP, "÷mitmdump"),
    Comparison(TWO_WORKERS, SLUICEGATE, "2w ÷1w"),
)
PICTURE = ROOT / "docs" / "bench.svg"
BUSY = 0.25
"""A load average above this part of the processors, before the start, is worth a warning."""


def main() -> int:
    options = parse_arguments()
    end_in_order_on_signals()
    rows = choose(options.rows, full=options.full)
    results = Results()
    load_before, began = os.getloadavg(), time.monotonic()
    try:
        with contextlib.ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluicegate-bench-")))
            directory.chmod(0o755)  # nginx and Squid, started by root, work as other users
            world = start(rows, directory, options, results, stack)
            for row in rows:
                row.measure(world)
    except BenchError as error:
        results.errors.append(str(error))
    if not results.samples:
        print(f"bench: {results.errors[0]}", file=sys.stderr)
        return 2
    print(table(results, [*PROXIES, NGINX], COMPARISONS))
    write_json(options, results, load_before)
    if options.picture:
        PICTURE.write_text(draw(results))
        print(f"Picture: {PICTURE}")
    print(f"All samples: {options.json} ({time.monotonic() - began:.0f} s)")
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
    parser.add_argument("--full", action="store_true", help="every row, five rounds of three seconds")
    parser.add_argument("--rows", type=names, default=[], metavar="NAME,...", help=f"only these: {', '.join(KNOWN)}")
    parser.add_argument("--seconds", type=positive, help="how long a sample takes (1; 3 with --full)")
    parser.add_argument("--rounds", type=positive, help="how many samples of each subject a row has (3; 5 with --full)")
    parser.add_argument("--json", type=Path, metavar="FILE", default=ROOT / ".bench" / "result.json")
    parser.add_argument("--picture", action="store_true", help=f"draw {PICTURE.relative_to(ROOT)}")
    options = parser.parse_args()
    options.seconds = options.seconds or (3 if options.full else 1)
    options.rounds = options.rounds or (5 if options.full else 3)
    return options


def positive(text: str) -> int:
    """A whole number above zero."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


KNOWN = sorted({row.name for row in ALL} | {row.name.rpartition("-")[0] for row in ALL if "-" in row.name})
"""What `--rows` takes: names of rows, and what several of them have in common (`hits` is hits-1, hits-32, hits-1000)."""


def names(text: str) -> list[str]:
    """Names of rows between commas."""
    given = text.split(",")
    if unknown := [name for name in given if name not in KNOWN]:
        raise argparse.ArgumentTypeError(f"no such row: {', '.join(unknown)}; there are {', '.join(KNOWN)}")
    return given


def choose(wanted: Sequence[str], *, full: bool) -> list[Row | Probe]:
    """The rows to measure, in their order: those named, else all of them or the quick ones."""
    if wanted:
        return [row for row in ALL if row.name in wanted or row.name.rpartition("-")[0] in wanted]
    return [row for row in ALL if full or row.quick]


def start(
    rows: Sequence[Row | Probe],
    directory: Path,
    options: argparse.Namespace,
    results: Results,
    stack: contextlib.ExitStack,
) -> World:
    """Start the origin, and those proxies that the rows need."""
    needed = {name for row in rows for name in row.subjects}
    alone = all(isinstance(row, Probe) and row.alone for row in rows)
    behind = None if alone else stack.enter_context(origin(directory))
    proxies, absent = {}, set()
    for name, begin in PROXIES.items():
        if name in needed:
            try:
                proxies[name] = stack.enter_context(begin(behind, directory / name.replace(" ", "-")))
            except Unavailable:
                absent.add(name)
    return World(directory, behind, proxies, frozenset(absent), options.seconds, options.rounds, options.full, results)


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
            "squid": first_line("squid", "-v"),
            "nginx": first_line("nginx", "-v"),
            "load_before": load_before,
            "load_after": os.getloadavg(),
        },
        "metrics": as_json(results, COMPARISONS),
        "errors": results.errors,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def first_line(name: str, *arguments: str) -> str:
    """What a program says of its version; empty when it is not installed."""
    with contextlib.suppress(BenchError):
        said = subprocess.run([program(name), *arguments], capture_output=True, text=True, check=False)
        return (said.stdout or said.stderr).partition("\n")[0]
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
