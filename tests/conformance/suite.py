"""The public HTTP cache test suite (npm package http-cache-tests): installed under build/, its origin and its client run."""

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from conformance.processes import accepts, free_port, process, wait_until
from conformance.scoring import SuiteTest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGE = "http-cache-tests"
VERSION = "0.4.5"
INSTALL_DIR = ROOT / "build" / "conformance"
SUITE_DIR = INSTALL_DIR / "node_modules" / PACKAGE
RUN_TIMEOUT_S = 600


def install() -> None:
    """Put the suite under build/, unless it is there."""
    manifest = SUITE_DIR / "package.json"
    if manifest.is_file() and json.loads(manifest.read_text())["version"] == VERSION:
        return
    INSTALL_DIR.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(INSTALL_DIR)]
    subprocess.run([*command, f"{PACKAGE}@{VERSION}"], check=True)


def list_tests() -> list[SuiteTest]:
    """All tests for proxies, in the order of the suite."""
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


def run_client(port: int, proxy: str, test_id: str = "") -> str:
    """What the suite's client prints, sent through the proxy: all tests, or one with its traffic."""
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


def run(proxy: str) -> dict[str, object]:
    """The result of each test, by its id: true, or the kind of failure and a sentence."""
    with origin() as port:
        output = run_client(port, proxy)
    results: dict[str, object] = json.loads(output[output.index("{\n") :])
    return results
