"""The real command in a process of its own, with a configuration of the test's.

with running_proxy(tmp_path, limits={"hosts": {"127.0.0.1": {"rates": ["20/second"]}}}) as proxy:
    proxy.get(origin.url + "/a")                     # through the proxy, body and fields
    proxy.log_lines(event="access")                  # the JSON log so far
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

COMMAND = (sys.executable, "-m", "sluicegate")
UNLIMITED = {"hosts": {"127.0.0.1": {"rates": "unlimited", "concurrency": 512}}}


def clean_environ(**extra: str) -> dict[str, str]:
    """This process's environment without what would lead a client or the proxy elsewhere."""
    dropped = ("proxy", "sluicegate_", "_ca_", "ssl_cert", "pip_", "npm_config_")
    kept = {name: value for name, value in os.environ.items() if not any(word in name.lower() for word in dropped)}
    return kept | extra


def wait_until(condition: Callable[[], Any], what: str, deadline_s: float = 15.0) -> Any:
    """Poll until `condition` gives something true, and return that; fails the test after `deadline_s`."""
    give_up = time.monotonic() + deadline_s
    while not (result := condition()):
        assert time.monotonic() < give_up, f"waited {deadline_s} s in vain for {what}"
        time.sleep(0.005)  # between two looks; what is waited for is the condition
    return result


@dataclass(frozen=True)
class Reply:
    """A response, read whole."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str | None:
        """The first value of a field."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)


@dataclass
class Proxy:
    """A proxy that is ready."""

    process: subprocess.Popen[bytes]
    host: str
    port: int
    admin: str
    ca: Path
    state_dir: Path
    log_file: Path
    config_file: Path
    _connections: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        """For HTTP_PROXY."""
        return f"http://{self.host}:{self.port}"

    def get(self, url: str, *, method: str = "GET", body: bytes | None = None, **fields: str) -> Reply:
        """One request on a connection of its own. Field names are given with underscores."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in fields.items()}
            connection.request(method, url, body=body, headers=named)
            response = connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def raw(self, data: bytes = b"", timeout_s: float = 30.0) -> socket.socket:
        """A TCP connection to the proxy, with `data` sent."""
        connection = socket.create_connection((self.host, self.port), timeout=timeout_s)
        if data:
            connection.sendall(data)
        return connection

    def exchange(self, data: bytes) -> bytes:
        """Send bytes and read until the proxy closes."""
        with self.raw(data) as connection:
            return read_all(connection)

    def log_lines(self, **wanted: object) -> list[dict[str, Any]]:
        """The log's lines with these members, as far as they are written."""
        with contextlib.suppress(FileNotFoundError):
            lines = [
                json.loads(line) for line in self.log_file.read_text().splitlines(keepends=True) if line[-1] == "\n"
            ]
            return [line for line in lines if wanted.items() <= line.items()]
        return []

    def await_log(self, **wanted: object) -> dict[str, Any]:
        """The first log line with these members, once it is there."""
        return wait_until(lambda: self.log_lines(**wanted), f"a log line with {wanted}")[0]

    def status(self) -> dict[str, Any]:
        """`/api/status`."""
        return json.loads(self.ask_admin("/api/status").body)

    def ask_admin(self, path: str) -> Reply:
        """GET on the admin server."""
        connection = http.client.HTTPConnection(self.admin, timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def reconfigure(self, config: Mapping[str, Any]) -> None:
        """Write another configuration file; the proxy notices by itself."""
        write_config(self.config_file, config)

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def stop(self, deadline_s: float = 15.0) -> int:
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(deadline_s)

    def peak_rss(self) -> int:
        """The most memory it has ever had resident (bytes)."""
        return self._memory("VmHWM")

    def rss(self) -> int:
        """The memory it has resident now (bytes)."""
        return self._memory("VmRSS")

    def _memory(self, name: str) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        raise AssertionError(name)


def read_all(connection: socket.socket) -> bytes:
    """What comes until the peer closes."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            pieces.append(data)
    return b"".join(pieces)


def write_config(path: Path, config: Mapping[str, Any]) -> None:
    """Replace the file in one step."""
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(dict(config)))
    fresh.replace(path)


def base_config(directory: Path, **sections: Any) -> dict[str, Any]:
    """A configuration under `directory` on free ports; loopback is unlimited unless `limits` says otherwise."""
    return {
        "listen": "127.0.0.1:0",
        "admin": "127.0.0.1:0",
        "state_dir": str(directory / "state"),
        "log": {"file": str(directory / "proxy.log"), "level": "debug"},
        "limits": UNLIMITED,
        "drain_timeout": "5s",
        **sections,
    }


@contextlib.contextmanager
def running_proxy(
    directory: Path, *, environ: Mapping[str, str] | None = None, arguments: tuple[str, ...] = (), **sections: Any
) -> Iterator[Proxy]:
    """Start the proxy on `base_config`, wait until it is ready, and stop it at the end (if it still runs)."""
    config_file = directory / "sluicegate.yaml"
    config = base_config(directory, **sections)
    write_config(config_file, config)
    ours, theirs = socket.socketpair()
    errors = directory / "stderr.txt"
    with ours, errors.open("ab") as stderr:
        with theirs:
            process = subprocess.Popen(
                [*COMMAND, "serve", "--config", str(config_file), "--ready-fd", str(theirs.fileno()), *arguments],
                stdout=stderr,
                stderr=stderr,
                pass_fds=[theirs.fileno()],
                env=dict(environ) if environ is not None else clean_environ(),
            )
        try:
            ours.settimeout(60)
            line = b""
            while not line.endswith(b"\n"):
                data = ours.recv(4096)
                assert data, f"the proxy did not start: {errors.read_text()}"
                line += data
            ready = json.loads(line)
            address = urlsplit(f"http://{ready['listen']}")
            yield Proxy(
                process,
                str(address.hostname),
                int(address.port or 0),
                ready["admin"],
                Path(ready["ca"]),
                Path(config["state_dir"]),
                Path(config["log"]["file"]),
                config_file,
            )
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    raise
    told = errors.read_text()
    assert "Traceback" not in told, told
