"""Run the public HTTP cache test suite through a proxy and print how it does.

    .venv/bin/python tests/conformance/run_suite.py                        # a Sluicegate of its own
    .venv/bin/python tests/conformance/run_suite.py --proxy http://127.0.0.1:3128
    .venv/bin/python tests/conformance/run_suite.py --id freshness-max-age  # one test, its traffic shown

The suite (npm package http-cache-tests) is installed under build/ at the first run. Its origin listens on a free port;
its client runs up to 100 tests at once, so the proxy must not limit 127.0.0.1.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

from scoring import KINDS, Figure, SuiteTest, figures, read_superseded  # noqa: E402 - a script beside its module

PACKAGE = "http-cache-tests"
VERSION = "0.4.5"
INSTALL_DIR = ROOT / "build" / "conformance"
SUITE_DIR = INSTALL_DIR / "node_modules" / PACKAGE
START_TIMEOUT_S = 60
RUN_TIMEOUT_S = 600


def main() -> int:
    options = parse_arguments()
    if options.proxy and not accepts(urlsplit(options.proxy).port or 80, urlsplit(options.proxy).hostname):
        raise SystemExit(f"nothing listens at {options.proxy}")
    install()
    tests = list_tests()
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(origin())
        proxy = options.proxy or stack.enter_context(sluicegate(options.mode, options.store))
        output = run_client(port, proxy, options.id)
    if options.id:
        print(output)
        return 0
    results = json.loads(output[output.index("\n{") + 1 :] if not output.startswith("{") else output)
    report(tests, results, options.json)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxy", help="URL of a running proxy; without it a Sluicegate is started for the run")
    parser.add_argument("--mode", default="shared", choices=["shared", "private"], help="cache.mode of that Sluicegate")
    parser.add_argument("--store", default="disk", choices=["disk", "memory"], help="cache.store of that Sluicegate")
    parser.add_argument("--id", default="", help="run this test alone and show its requests and responses")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "conformance" / "results.json")
    return parser.parse_args()


def install() -> None:
    """Put the suite under build/, unless it is there."""
    manifest = SUITE_DIR / "package.json"
    if manifest.is_file() and json.loads(manifest.read_text())["version"] == VERSION:
        return
    INSTALL_DIR.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(INSTALL_DIR)]
    subprocess.run([*command, f"{PACKAGE}@{VERSION}"], check=True)


def list_tests() -> list[SuiteTest]:
    listed = subprocess.run(
        ["node", str(HERE / "list_tests.mjs"), str(SUITE_DIR)], check=True, capture_output=True, text=True
    )
    return [SuiteTest(**{**test, "depends_on": tuple(test["depends_on"])}) for test in json.loads(listed.stdout)]


@contextlib.contextmanager
def origin() -> Iterator[int]:
    """The suite's origin server, on a free port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            "npm_config_protocol": "http",
            "npm_config_port": str(port),
            "npm_config_pidfile": str(Path(directory) / "origin.pid"),
        }
        with process(["node", "server/server.mjs"], environment, cwd=SUITE_DIR, quiet=True) as started:
            wait_until(lambda: accepts(port), started, "the suite's origin")
            yield port


@contextlib.contextmanager
def sluicegate(mode: str, store: str) -> Iterator[str]:
    """A Sluicegate on a free port, with an empty cache and no limits for the origin; its URL."""
    port, admin = free_port(), free_port()
    with tempfile.TemporaryDirectory() as directory:
        config = {
            "listen": f"127.0.0.1:{port}",
            "admin": f"127.0.0.1:{admin}",
            "state_dir": directory,
            "log": {"file": str(Path(directory) / "proxy.log")},
            "limits": {"backend": "memory", "hosts": {"127.0.0.1": {"rates": "unlimited", "concurrency": 200}}},
            "cache": {"mode": mode, "store": store, "targeted": ["CDN-Cache-Control"]},
        }
        file = Path(directory) / "sluicegate.yaml"
        file.write_text(json.dumps(config))  # JSON is YAML
        command = [str(Path(sys.executable).with_name("sluicegate")), "serve", "--config", str(file)]
        with process(command, {}, cwd=ROOT) as started:
            wait_until(lambda: is_ready(f"http://127.0.0.1:{admin}/readyz"), started, "sluicegate")
            yield f"http://127.0.0.1:{port}"


def run_client(port: int, proxy: str, test_id: str) -> str:
    """The output of the suite's client, sent through the proxy."""
    environment = os.environ | {
        "npm_config_base": f"http://127.0.0.1:{port}",
        "npm_config_id": test_id,
        "npm_package_config_id": "",
        "SUITE_PROXY": proxy,
    }
    command = ["node", "--no-warnings", "--require", str(HERE / "through_proxy.cjs"), "cli.mjs"]
    client = subprocess.run(
        command, cwd=SUITE_DIR, env=environment, stdout=subprocess.PIPE, text=True, timeout=RUN_TIMEOUT_S, check=True
    )
    return client.stdout


def report(tests: list[SuiteTest], results: dict[str, object], file: Path) -> None:
    """Print the figures with what failed, and write them as JSON."""
    superseded = read_superseded(HERE / "superseded.txt")
    whole = figures(tests, results)
    standing = figures(tests, results, leave_out=superseded)
    for kind in KINDS:
        if kind != "check":
            print_failures(kind, whole[kind], results, superseded)
    print(f"{PACKAGE} {VERSION}:        {line(whole)}")
    print(f"without the superseded:  {line(standing)}")
    file.parent.mkdir(parents=True, exist_ok=True)
    summary = {kind: {"passed": figure.passed, "asked": figure.asked} for kind, figure in whole.items()}
    current = {kind: {"passed": figure.passed, "asked": figure.asked} for kind, figure in standing.items()}
    failed = {kind: list(figure.failed) for kind, figure in whole.items()}
    file.write_text(
        json.dumps({"all": summary, "standing": current, "failed": failed, "results": results}, indent=2) + "\n"
    )


def print_failures(kind: str, figure: Figure, results: dict[str, object], superseded: frozenset[str]) -> None:
    print(f"{kind}, not passed:")
    for test_id in figure.failed:
        result = results.get(test_id)
        why = "depends on one that failed" if result is True else result
        mark = " (superseded)" if test_id in superseded else ""
        print(f"  {test_id}{mark}: {why[1] if isinstance(why, list) else why}")


def line(counted: dict[str, Figure]) -> str:
    return ", ".join(f"{kind} {counted[kind]}" for kind in KINDS)


@contextlib.contextmanager
def process(
    command: list[str], environment: dict[str, str], *, cwd: Path, quiet: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended with SIGTERM, and killed if it does not go."""
    output = subprocess.DEVNULL if quiet else None
    started = subprocess.Popen(command, cwd=cwd, env=os.environ | environment, stdout=output)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def wait_until(ready: Callable[[], bool], started: subprocess.Popen[bytes], name: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready():
        if started.poll() is not None:
            raise SystemExit(f"{name} ended with exit code {started.returncode} instead of starting")
        if time.monotonic() > deadline:
            raise SystemExit(f"{name} did not start within {START_TIMEOUT_S} s")
        time.sleep(0.05)


def accepts(port: int, host: str | None = None) -> bool:
    with socket.socket() as client:
        return client.connect_ex((host or "127.0.0.1", port)) == 0


def is_ready(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


if __name__ == "__main__":
    raise SystemExit(main())
