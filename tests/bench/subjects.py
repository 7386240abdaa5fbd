"""Who is measured: an origin (nginx), and the proxies in front of it, each in the set-up that docs/benchmarks.md tells."""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench.processes import Server, accepts, free_ports, program, serving

SLUICEGATE = "Sluicegate"
SQUID = "Squid"
MITMDUMP = "mitmdump"
NGINX = "nginx direct"

SMALL_BYTES = 1024
BIG_BYTES = 64 * 1024 * 1024
LIMITED_HOST = "127.0.0.2"
"""Another name for the origin: it has a rate limit in Sluicegate's configuration, 127.0.0.1 has none."""
LIMITED_RATE = "100000/second"
CONCURRENCY = 512

_ORIGIN = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
events {{ worker_connections 4096; }}
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
    server {{
        listen 127.0.0.1:{port};
        listen {limited_host}:{port};
        location = /miss {{ alias {directory}/small; add_header Cache-Control no-store; }}
        location = /hit {{ alias {directory}/small; add_header Cache-Control max-age=86400; }}
        location = /big {{ alias {directory}/big; add_header Cache-Control max-age=86400; }}
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
maximum_object_size 128 MB
maximum_object_size_in_memory 128 MB
shutdown_lifetime 1 seconds
pinger_enable off
netdb_filename none
"""


@dataclass(frozen=True)
class Subject:
    """Something that answers requests: a proxy, or the origin asked directly."""

    name: str
    port: int
    server: Server
    idle_bytes: int
    """The memory it had resident before the first request."""


@dataclass(frozen=True)
class Origin(Subject):
    """The server behind the proxies."""

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
    """nginx with a small and a large body. Its workers may be another user's: `directory` has to be open to them."""
    (port,) = free_ports(1)
    block = os.urandom(1024 * 1024)
    (directory / "small").write_bytes(block[:SMALL_BYTES])
    with (directory / "big").open("wb") as file:
        for _ in range(BIG_BYTES // len(block)):
            file.write(block)
    config = directory / "nginx.conf"
    config.write_text(_ORIGIN.format(directory=directory, port=port, limited_host=LIMITED_HOST))
    log = directory / "nginx.log"
    command = [program("nginx"), "-e", log, "-c", config]
    with serving("nginx", command, lambda: accepts(port), directory) as server:
        yield Origin(NGINX, port, server, server.resident_bytes())


@contextlib.contextmanager
def sluicegate(directory: Path) -> Iterator[Subject]:
    """Everything on: access log, metrics, cache on disk, limits in SQLite; the origin's first name is unlimited."""
    port, admin = free_ports(2)
    config = directory / "sluicegate.yaml"
    hosts = {
        "127.0.0.1": {"rates": "unlimited", "concurrency": CONCURRENCY},
        LIMITED_HOST: {"rates": [LIMITED_RATE], "concurrency": CONCURRENCY},
    }
    settings = {
        "listen": f"127.0.0.1:{port}",
        "admin": f"127.0.0.1:{admin}",
        "state_dir": str(directory / "sluicegate"),
        "log": {"file": str(directory / "sluicegate.log"), "format": "json"},
        "limits": {"backend": "sqlite", "max_inflight": 2 * CONCURRENCY, "hosts": hosts},
        "cache": {"max_size": "1GiB"},
        "drain_timeout": "2s",
    }
    config.write_text(json.dumps(settings))  # JSON is YAML
    command = [Path(sys.executable).with_name("sluicegate"), "serve", "--config", config]
    with serving("sluicegate", command, lambda: is_ready(admin), directory) as server:
        yield Subject(SLUICEGATE, port, server, server.resident_bytes())


@contextlib.contextmanager
def squid(directory: Path) -> Iterator[Subject]:
    """One process, its cache in memory, its access log on and buffered."""
    (port,) = free_ports(1)
    home = directory / "squid"
    home.mkdir()
    settings = _SQUID.format(directory=home, port=port)
    if os.geteuid() == 0:
        settings += "cache_effective_user proxy\n"
        shutil.chown(home, "proxy")
    config = directory / "squid.conf"
    config.write_text(settings)
    # Its shared memory is named after the service: one of our own never meets another Squid's, alive or dead.
    service = f"bench{os.getpid()}"
    try:
        command = [program("squid"), "-N", "-n", service, "-f", config]
        with serving("squid", command, lambda: accepts(port), directory) as server:
            yield Subject(SQUID, port, server, server.resident_bytes())
    finally:
        for segment in Path("/dev/shm").glob(f"{service}-*"):
            segment.unlink(missing_ok=True)


@contextlib.contextmanager
def mitmdump(directory: Path) -> Iterator[Subject]:
    """As it comes, without an addon; it connects to the origin only when it has to."""
    (port,) = free_ports(1)
    options = {"connection_strategy": "lazy", "confdir": str(directory / "mitmproxy")}
    command = [
        *(Path(sys.executable).with_name("mitmdump"), "-q", "--listen-host", "127.0.0.1", "--listen-port", str(port)),
        *(word for name, value in options.items() for word in ("--set", f"{name}={value}")),
    ]
    with serving("mitmdump", command, lambda: accepts(port), directory) as server:
        yield Subject(MITMDUMP, port, server, server.resident_bytes())


def is_ready(admin: int) -> bool:
    """Whether the proxy with this admin port accepts traffic."""
    try:
        with contextlib.closing(HTTPConnection("127.0.0.1", admin, timeout=5)) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False


PROXIES = {SLUICEGATE: sluicegate, SQUID: squid, MITMDUMP: mitmdump}
