"""Who is measured: an origin (nginx), and the proxies in front of it, each in the set-up that docs/benchmarks.md tells."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from signal import SIGKILL

import trustme

from bench.processes import BenchError, Server, accepts, free_ports, program, serving
from support.proxy import clean_environ

SLUICEGATE = "Sluicegate"
TWO_WORKERS = "2 workers"
SQUID = "Squid"
MITMDUMP = "mitmdump"
NGINX = "nginx direct"

SMALL_BYTES = 1024
BIG_BYTES = 256 * 1024 * 1024
LIMITED_HOST = "127.0.0.2"
"""Another name for the origin: it has a rate limit in Sluicegate's configuration, 127.0.0.1 has none."""
LIMITED_RATE = "100000/second"
CONCURRENCY = 1024
COMMAND = (Path(sys.executable).with_name("sluicegate"),)
FILE_DESCRIPTORS = 16_384

_ORIGIN = """
daemon off;
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
events {{ worker_connections {descriptors}; }}
http {{
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=16 inactive=1h;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {directory}/nginx-body;
    proxy_temp_path {directory}/nginx-proxy;
    fastcgi_temp_path {directory}/nginx-fastcgi;
    uwsgi_temp_path {directory}/nginx-uwsgi;
    scgi_temp_path {directory}/nginx-scgi;
    ssl_certificate {directory}/origin.pem;
    ssl_certificate_key {directory}/origin.pem;
    ssl_session_cache shared:tls:16m;
    server {{
        listen *:{port} backlog=4096;
        listen 127.0.0.1:{tls_port} ssl backlog=4096;
        allow 127.0.0.0/8;
        deny all;
        location = /miss {{ alias {directory}/small; add_header Cache-Control no-store; }}
        location = /hit {{ alias {directory}/small; add_header Cache-Control max-age=86400; }}
        location = /big {{ alias {directory}/big; add_header Cache-Control max-age=86400; }}
        location = /big-miss {{ alias {directory}/big; add_header Cache-Control no-store; }}
        location = /count {{ stub_status; }}
    }}
}}
"""

_SQUID = """
http_port 127.0.0.1:{port}
http_access allow all
visible_hostname bench
pid_filename {directory}/squid.pid
coredump_dir {directory}
cache_log {directory}/squid.log
access_log stdio:{directory}/squid-access.log
buffered_logs on
cache_mem 256 MB
memory_cache_shared off
maximum_object_size 512 MB
cache_dir aufs {directory}/small 2048 16 64 max-size=1048576
cache_dir ufs {directory}/large 4096 16 64 min-size=1048577
max_filedescriptors {descriptors}
pinger_enable off
netdb_filename none
"""


class Unavailable(BenchError):
    """This Sluicegate cannot be started in such a set-up yet."""


@dataclass(frozen=True)
class Subject:
    """Something that answers requests: a proxy, or the origin asked directly."""

    name: str
    port: int
    server: Server


@dataclass(frozen=True)
class Origin(Subject):
    """The server behind the proxies."""

    tls_port: int
    authority: Path
    """Who signed its certificate (PEM)."""

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The URL of one of its resources."""
        return f"http://{host}:{self.port}{path}"

    def count(self) -> int:
        """How many requests it has served, this one included."""
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("GET", "/count")
            return parse_stub_status(connection.getresponse().read().decode())


def parse_stub_status(text: str) -> int:
    """The number of requests in the page of nginx's stub_status."""
    _accepts, _handled, requests = text.splitlines()[2].split()
    return int(requests)


@contextlib.contextmanager
def origin(directory: Path) -> Iterator[Origin]:
    """nginx with a small and a large body. Its workers may be another user's: `directory` has to be open to them.

    It listens on every address of loopback, so that it can stand for as many hosts, and lets in nobody from elsewhere.
    """
    port, tls_port = free_ports(2)
    block = os.urandom(1024 * 1024)
    (directory / "small").write_bytes(block[:SMALL_BYTES])
    with (directory / "big").open("wb") as file:
        for _ in range(BIG_BYTES // len(block)):
            file.write(block)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "authority.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(directory / "origin.pem"))
    config = directory / "nginx.conf"
    config.write_text(_ORIGIN.format(directory=directory, port=port, tls_port=tls_port, descriptors=FILE_DESCRIPTORS))
    command = [program("nginx"), "-e", directory / "nginx.log", "-c", config]
    with serving("nginx", command, lambda: accepts(port), directory) as server:
        yield Origin(NGINX, port, server, tls_port, directory / "authority.pem")


@contextlib.contextmanager
def sluicegate(
    behind: Origin, directory: Path, *, workers: int = 1, command: Sequence[str | Path] = COMMAND
) -> Iterator[Subject]:
    """Everything on: access log, metrics, cache on disk, limits in SQLite; the origin's first name is unlimited.

    `command` stands for `sluicegate`. Raises Unavailable when it refuses so many workers.
    """
    directory.mkdir(exist_ok=True)
    port, admin = free_ports(2)
    config = directory / "sluicegate.yaml"
    config.write_text(json.dumps(settings_of_sluicegate(behind, directory, port, admin, workers)))  # JSON is YAML
    if workers > 1:
        check = subprocess.run(
            [*command, "check", "--config", config], capture_output=True, check=False, env=clean_environ()
        )
        if check.returncode:
            raise Unavailable
    name = SLUICEGATE if workers == 1 else TWO_WORKERS
    with serving(name, [*command, "serve", "--config", config], lambda: is_ready(admin), directory) as server:
        yield Subject(name, port, server)


@contextlib.contextmanager
def two_workers(behind: Origin, directory: Path) -> Iterator[Subject]:
    """Sluicegate in two processes."""
    with sluicegate(behind, directory, workers=2) as subject:
        yield subject


def settings_of_sluicegate(behind: Origin, directory: Path, port: int, admin: int, workers: int) -> dict[str, object]:
    """The configuration that is measured."""
    unlimited = {"rates": "unlimited", "concurrency": CONCURRENCY}
    limited = {"rates": [LIMITED_RATE], "concurrency": CONCURRENCY}
    return {
        "listen": f"127.0.0.1:{port}",
        "admin": f"127.0.0.1:{admin}",
        "state_dir": str(directory / "state"),
        "workers": workers,
        "log": {"file": str(directory / "access.log"), "format": "json"},
        "limits": {
            "backend": "sqlite",
            "max_inflight": 2 * CONCURRENCY,
            "default": limited,
            "hosts": {"127.0.0.1": unlimited},
        },
        "https": {"upstream_ca": str(behind.authority)},
        "drain_timeout": "2s",
    }


@contextlib.contextmanager
def squid(_behind: Origin, directory: Path) -> Iterator[Subject]:
    """One process: what is small from 256 MB of memory, what is large from disk, its access log buffered.

    A proper shutdown takes it two seconds, and nothing of it is needed afterwards: it is killed.
    """
    directory.mkdir(exist_ok=True)
    (port,) = free_ports(1)
    settings = _SQUID.format(directory=directory, port=port, descriptors=FILE_DESCRIPTORS)
    if os.geteuid() == 0:
        settings += "cache_effective_user proxy\n"
        shutil.chown(directory, "proxy")
    config = directory / "squid.conf"
    config.write_text(settings)
    # Its shared memory is named after the service: one of our own never meets another Squid's, alive or dead.
    service = f"bench{os.getpid()}x{port}"
    command = [program("squid"), "-N", "-n", service, "-f", config]
    try:
        if not (directory / "small").exists():
            made = subprocess.run([*command, "-z"], stderr=subprocess.PIPE, text=True, check=False)
            if made.returncode:
                raise BenchError(f"squid -z ended with {made.returncode}: {made.stderr[-2000:]}")
        with serving(SQUID, command, lambda: accepts(port), directory, ended_by=SIGKILL) as server:
            yield Subject(SQUID, port, server)
    finally:
        for segment in Path("/dev/shm").glob(f"{service}-*"):
            segment.unlink(missing_ok=True)


@contextlib.contextmanager
def mitmdump(behind: Origin, directory: Path) -> Iterator[Subject]:
    """As it comes, without an addon; it connects to the origin only when it has to."""
    directory.mkdir(exist_ok=True)
    (port,) = free_ports(1)
    options = {
        "connection_strategy": "lazy",
        "confdir": str(directory / "mitmproxy"),
        "ssl_verify_upstream_trusted_ca": str(behind.authority),
    }
    command = [
        *(Path(sys.executable).with_name("mitmdump"), "-q", "--listen-host", "127.0.0.1", "--listen-port", str(port)),
        *(word for name, value in options.items() for word in ("--set", f"{name}={value}")),
    ]
    with serving(MITMDUMP, command, lambda: accepts(port), directory) as server:
        yield Subject(MITMDUMP, port, server)


def is_ready(admin: int) -> bool:
    """Whether the proxy with this admin port accepts traffic."""
    try:
        with contextlib.closing(HTTPConnection("127.0.0.1", admin, timeout=5)) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False


PROXIES = {SLUICEGATE: sluicegate, TWO_WORKERS: two_workers, SQUID: squid, MITMDUMP: mitmdump}
