"""Real client programs under `sluicegate run`: each fetch is a fresh process with its own cache off.

with wrapped_shell(config_file, directory) as shell:
    shell.call("curl", "-sS", url)          # through the proxy that `run` started, with the environment it set
"""

import contextlib
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.proxy import COMMAND, clean_environ

DEADLINE_S = 60
PER_SECOND = 4
"""What the shells of tests/e2e/conftest.py allow each host."""

_REQUESTS = """
import sys, requests
for url in sys.argv[1:]:
    answer = requests.get(url, timeout=30)
    answer.raise_for_status()
    sys.stdout.buffer.write(answer.content)
"""
_HTTPX = _REQUESTS.replace("requests", "httpx")

FETCHERS: dict[str, Callable[[Sequence[str]], list[str]]] = {
    "curl": lambda urls: ["curl", "-sS", "--fail", *urls],
    "wget": lambda urls: ["wget", "-nv", "-O", "-", *urls],
    "requests": lambda urls: [sys.executable, "-c", _REQUESTS, *urls],
    "httpx": lambda urls: [sys.executable, "-c", _HTTPX, *urls],
}
"""Name of a client to the command that prints the bodies of some URLs, one after the other."""


def pip_download(index: str, target: Path, *names: str) -> list[str]:
    """Pip, fetching the wheels of `names` into `target`."""
    options = ["--no-cache-dir", "--no-deps", "--disable-pip-version-check", "--isolated"]
    return [sys.executable, "-m", "pip", "download", *options, "--index-url", index, "--dest", str(target), *names]


def npm_install(registry: str, target: Path, *names: str) -> list[str]:
    """npm, installing `names` into `target` with a cache of its own that is empty."""
    options = ["--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=0", "--cache", str(target / "cache")]
    return ["npm", "install", "--prefix", str(target), "--registry", registry, *options, *names]


def client_environ(home: Path, **extra: str) -> dict[str, str]:
    """An environment in which nobody's settings lead the clients elsewhere; `home` is theirs."""
    nobodys = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "PIP_CONFIG_FILE": "/dev/null"}
    return clean_environ(HOME=str(home), **nobodys, **extra)


@dataclass(frozen=True)
class Outcome:
    """How a client ended, and what it said."""

    code: int
    output: bytes
    errors: str


@dataclass
class WrappedShell:
    """A shell inside `sluicegate run`; what it starts is started with the environment that `run` made."""

    process: subprocess.Popen[str]
    directory: Path

    def attempt(self, *command: str) -> Outcome:
        """Run one command to its end; its exit code may be anything."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        output, errors = self.directory / "output", self.directory / "errors"
        words = shlex.join(["timeout", str(DEADLINE_S), *command])
        self.process.stdin.write(
            f"{words} </dev/null >{shlex.quote(str(output))} 2>{shlex.quote(str(errors))}; echo $?\n"
        )
        self.process.stdin.flush()
        code = self.process.stdout.readline()
        assert code, "the shell ended"
        return Outcome(int(code), output.read_bytes(), errors.read_text())

    def call(self, *command: str) -> bytes:
        """Run one command, which must succeed, and return its output."""
        outcome = self.attempt(*command)
        assert outcome.code == 0, f"{command} ended with {outcome.code}: {outcome.errors}{outcome.output[-2000:]!r}"
        return outcome.output


@contextlib.contextmanager
def wrapped_shell(config_file: Path, directory: Path, *options: str) -> Iterator[WrappedShell]:
    """`sluicegate run --config config_file -- sh`, for as long as the block lasts; it must end with exit code 0."""
    directory.mkdir(parents=True, exist_ok=True)
    errors = directory / "run.stderr"
    command = [*COMMAND, "run", "--proxy-loopback", "--quiet", "--config", str(config_file), *options, "--", "sh"]
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=directory,
            env=client_environ(directory),
        )
    try:
        yield WrappedShell(process, directory)
    finally:
        _end(process)
    assert (process.returncode, errors.read_text()) == (0, "")


def _end(process: subprocess.Popen[str]) -> None:
    """Close the shell's input, which ends it."""
    try:
        process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
