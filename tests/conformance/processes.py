"""Programs that a run of the suite needs: started, waited for, ended."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

START_TIMEOUT_S = 60


class NotStarted(Exception):
    """A program ended, or took too long, instead of starting; what it is named and why."""


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
    """Wait until a program is ready. Raises NotStarted."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready():
        if started.poll() is not None:
            raise NotStarted(f"{name} ended with exit code {started.returncode} instead of starting")
        if time.monotonic() > deadline:
            raise NotStarted(f"{name} did not start within {START_TIMEOUT_S} s")
        time.sleep(0.05)


def accepts(port: int, host: str | None = None) -> bool:
    """Whether something listens there."""
    with socket.socket() as client:
        return client.connect_ex((host or "127.0.0.1", port)) == 0


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
