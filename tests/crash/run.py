"""Kill the proxy again and again while it writes, and look whether it ever serves or does what it must not.

    make crash                                          # 100 kills with one process, 100 with two workers
    make crash ARGS="--rounds 300 --workers 2 --seed 7"  # other numbers; what is rolled depends on the seed alone

The exit code is 1 when something was found. The machine's timing is not repeatable, so a seed repeats what is asked and
whom a kill hits, and only about when.
"""

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crash.loop import MIB, Report, World


def main() -> int:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(description="Kill the proxy while it writes.")
    parser.add_argument("--rounds", type=int, default=100, help="kills for each number of workers")
    parser.add_argument("--workers", type=int, action="append", help="processes; repeatable; default: 1 and 2")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--overlap", action="store_true", help="change what is being asked for at the same moment, too")
    arguments = parser.parse_args()
    print(f"--seed {arguments.seed}")
    found = 0
    for workers in arguments.workers or [1, 2]:
        directory = Path(tempfile.mkdtemp(prefix="sluicegate-crash-"))
        print(f"{workers} process(es), {directory}", flush=True)
        world = World(
            directory,
            workers,
            arguments.seed,
            overlap=arguments.overlap,
            say=lambda line: print(f"  {line}", flush=True),
        )
        report = asyncio.run(world.run(arguments.rounds))
        _print(report)
        found += len(report.violations)
        if not report.violations:
            shutil.rmtree(directory)
    return min(found, 1)


def _print(report: Report) -> None:
    starts = sorted(report.starts_s)
    half = len(report.starts_s) // 2
    early, late = (sorted(part)[len(part) // 2] for part in (report.starts_s[: half + 1], report.starts_s[half:]))
    print(f"  kills: {dict(report.kills)}")
    print(f"  responses: {dict(report.counts)}")
    print(f"  log: {dict(report.events)}")
    print(f"  starts: median {early:.2f} s in the first half, {late:.2f} s in the second, longest {starts[-1]:.2f} s")
    print(f"  disk: at most {report.most_disk / MIB:.1f} MiB under load, {report.most_settled / MIB:.1f} MiB at rest")
    print(f"    most: {report.most_disk_shares}")
    print(
        f"  limits: {report.limited} requests, {report.most_at_once} at once, longest pause {report.longest_pause_s:.1f} s"
    )
    print(f"  {len(report.violations)} violations")
    for violation in report.violations[:20]:
        print(f"    {violation[:600]}")


if __name__ == "__main__":
    sys.exit(main())
