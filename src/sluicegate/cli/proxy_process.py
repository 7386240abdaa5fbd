"""A proxy in a child process, for as long as one command runs."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import IO, Any

from sluicegate.cli.foreground import Interrupted
from sluicegate.errors import StartError

SERVE = (sys.executable, "-m", "sluicegate", "serve")

_READY_TIMEOUT_S = 60.0
_STATUS_TIMEOUT_S = 5.0
_KILL_AFTER_S = 5.0
_DYING_S = 1.0
"""A killed process closes its sockets a moment before its exit code can be had."""


@dataclass(slots=True)
class ProxyProcess:
    """A proxy that is ready. `listen` and `admin` are `host:port`; `admin` is empty when it is off."""

    listen: str
    admin: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    def totals(self) -> dict[str, Any] | None:
        """What the proxy has done so far (`totals` of /api/status), or None when it does not tell."""
        host, _, port = self.admin.rpartition(":")
        if not host:
            return None
        connection = HTTPConnection(host.strip("[]"), int(port), timeout=_STATUS_TIMEOUT_S)
        try:
            connection.request("GET", "/api/status")
            totals = json.loads(connection.getresponse().read())["totals"]
        except (OSError, HTTPException, ValueError, LookupError, TypeError):
            return None
        finally:
            connection.close()
        return totals if isinstance(totals, dict) else None

    def failure(self) -> str | None:
        """How the proxy ended though nobody asked it to, or None while it runs; for when `totals` is None."""
        try:
            code = self.process.wait(_DYING_S)
        except subprocess.TimeoutExpired:
            return None
        return f"the proxy ended ({_how(code)}) {_said(self.output)}".rstrip()


@contextlib.contextmanager
def proxy_process(arguments: Sequence[str], *, drain_s: float) -> Iterator[ProxyProcess]:
    """Start `sluicegate serve` with `arguments`, wait until it is ready, and stop it at the end.

    Stopping lets it finish what is under way for `drain_s` seconds; a signal to us meanwhile cuts that short. The
    proxy is in a session of its own, so the terminal's Ctrl-C does not reach it. Its end of the socket it reports on
    stays open for our lifetime: end-of-file there tells it that we are gone. Raises StartError.
    """
    ours, theirs = socket.socketpair()
    with ours, tempfile.TemporaryFile() as output:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - our own program
                [*SERVE, *arguments, "--ready-fd", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        try:
            ready = _await_ready(ours, process, output)
            yield ProxyProcess(ready["listen"], ready.get("admin") or "", process, output)
        finally:
            _stop(process, drain_s)


def _await_ready(ours: socket.socket, process: subprocess.Popen[bytes], output: IO[bytes]) -> dict[str, Any]:
    ours.settimeout(_READY_TIMEOUT_S)
    try:
        with ours.makefile("rb") as lines:
            line = lines.readline()
    except TimeoutError:
        raise StartError(f"the proxy was not ready within {_READY_TIMEOUT_S:.0f} s") from None
    except ConnectionError:
        line = b""
    if not line:
        code = process.wait()
        raise StartError(f"the proxy did not start: {_said(output) or _how(code)}")
    ready: dict[str, Any] = json.loads(line)
    return ready


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _said(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode(errors="replace").strip().removeprefix("Error: ")


def _stop(process: subprocess.Popen[bytes], drain_s: float) -> None:
    process.terminate()
    with contextlib.suppress(Interrupted, subprocess.TimeoutExpired):
        process.wait(drain_s)
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)  # the second one: now
        with contextlib.suppress(Interrupted, subprocess.TimeoutExpired):
            process.wait(_KILL_AFTER_S)
    if process.returncode is None:
        process.kill()
        process.wait()
