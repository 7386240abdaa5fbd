"""Run the public HTTP cache test suite through a proxy and print how it does.

    .venv/bin/python tests/conformance/run_suite.py                        # a Sluicegate of its own
    .venv/bin/python tests/conformance/run_suite.py --store redis          # or: disk, memory, flows
    .venv/bin/python tests/conformance/run_suite.py --proxy http://127.0.0.1:3128
    .venv/bin/python tests/conformance/run_suite.py --id freshness-max-age  # one test, its traffic shown
    .venv/bin/python tests/conformance/run_suite.py --document             # write docs/conformance.md anew

The suite (npm package http-cache-tests) is installed under build/ at the first run. Its origin listens on a free port;
its client runs up to 100 tests at once, so the proxy must not limit 127.0.0.1.
"""

import argparse
import contextlib
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conformance import answers, suite
from conformance.processes import NotStarted, accepts
from conformance.proxies import WAYS, sluicegate
from conformance.scoring import KINDS, Figure, SuiteTest, figures


def main() -> int:
    options = parse_arguments()
    if options.proxy and not accepts(urlsplit(options.proxy).port or 80, urlsplit(options.proxy).hostname):
        raise SystemExit(f"nothing listens at {options.proxy}")
    suite.install()
    tests = suite.list_tests()
    if options.document:
        answers.PAGE.write_text(answers.page(tests))
        return 0
    try:
        with contextlib.ExitStack() as stack:
            proxy = options.proxy or stack.enter_context(sluicegate(options.store, options.mode))
            if options.id:
                with suite.origin() as port:
                    print(suite.run_client(port, proxy, options.id))
            else:
                report(tests, suite.run(proxy), options.json)
    except NotStarted as error:
        raise SystemExit(str(error)) from error
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxy", help="URL of a running proxy; without it a Sluicegate is started for the run")
    parser.add_argument("--mode", default="shared", choices=["shared", "private"], help="cache.mode of that Sluicegate")
    parser.add_argument(
        "--store",
        default="disk",
        choices=WAYS,
        help="cache.store of that Sluicegate; flows: in mitmdump, whose own HTTP layer parses the requests",
    )
    parser.add_argument("--id", default="", help="run this test alone and show its requests and responses")
    parser.add_argument("--json", type=Path, default=suite.ROOT / "build" / "conformance" / "results.json")
    parser.add_argument(
        "--document", action="store_true", help="write docs/conformance.md from answers.txt, run nothing"
    )
    return parser.parse_args()


def report(tests: list[SuiteTest], results: dict[str, object], file: Path) -> None:
    """Print the figures with what failed, and write them as JSON."""
    superseded = frozenset(answers.superseded())
    whole = figures(tests, results)
    standing = figures(tests, results, leave_out=superseded)
    for kind in KINDS:
        if kind != "check":
            print_failures(kind, whole[kind], results, superseded)
    print(f"{suite.PACKAGE} {suite.VERSION}:        {line(whole)}")
    print(f"without the superseded:  {line(standing)}")
    file.parent.mkdir(parents=True, exist_ok=True)
    summary = {kind: {"passed": figure.passed, "asked": figure.asked} for kind, figure in whole.items()}
    current = {kind: {"passed": figure.passed, "asked": figure.asked} for kind, figure in standing.items()}
    failed = {kind: list(figure.failed) for kind, figure in whole.items()}
    file.write_text(
        json.dumps({"all": summary, "standing": current, "failed": failed, "results": results}, indent=2) + "\n"
    )


def print_failures(kind: str, figure: Figure, results: dict[str, object], superseded: frozenset[str]) -> None:
    argued = answers.argued()
    print(f"{kind}, not passed:")
    for test_id in figure.failed:
        result = results.get(test_id)
        why = "depends on one that failed" if result is True else result
        mark = " (superseded)" if test_id in superseded else " (argued)" if test_id in argued else ""
        print(f"  {test_id}{mark}: {why[1] if isinstance(why, list) else why}")


def line(counted: dict[str, Figure]) -> str:
    return ", ".join(f"{kind} {counted[kind]}" for kind in KINDS)


if __name__ == "__main__":
    raise SystemExit(main())
