"""The proxies that the suite is run through: each a Sluicegate of its own, its cache empty and its origin unlimited."""

import contextlib
import json
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from conformance.processes import accepts, free_port, process, wait_until
from conformance.suite import HERE, ROOT
from support.redis_server import RedisServer

STORES = ("disk", "memory", "redis")
FLOWS = "flows"
WAYS = (*STORES, FLOWS)
"""Each store behind `sluicegate serve`, and the addon in mitmdump, where mitmproxy's own HTTP layer parses the requests."""


@contextlib.contextmanager
def sluicegate(way: str, mode: str = "shared") -> Iterator[str]:
    """The URL of a Sluicegate that caches that way. Raises NotStarted."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cache = {"mode": mode, "store": "disk" if way == FLOWS else way, "targeted": ["CDN-Cache-Control"]}
        if way == "redis":
            cache["redis_url"] = stack.enter_context(contextlib.closing(RedisServer())).url
        port, admin = free_port(), free_port()
        config = {
            "listen": f"127.0.0.1:{port}",
            "admin": f"127.0.0.1:{admin}",
            "state_dir": str(directory),
            "log": {"file": str(directory / "proxy.log")},
            "limits": {"backend": "memory", "hosts": {"127.0.0.1": {"rates": "unlimited", "concurrency": 200}}},
            "cache": cache,
        }
        file = directory / "sluicegate.yaml"
        file.write_text(json.dumps(config))  # JSON is YAML
        started = stack.enter_context(process(_command(way, file, port), {"SLUICEGATE_CONFIG": str(file)}, cwd=ROOT))
        if way == FLOWS:
            wait_until(lambda: accepts(port), started, "mitmdump")
        else:
            wait_until(lambda: _is_ready(f"http://127.0.0.1:{admin}/readyz"), started, "sluicegate")
        yield f"http://127.0.0.1:{port}"


def _command(way: str, config: Path, port: int) -> list[str]:
    programs = Path(sys.executable)
    if way == FLOWS:
        options = ["--quiet", "--listen-host", "127.0.0.1", "--listen-port", str(port)]
        return [str(programs.with_name("mitmdump")), *options, "-s", str(HERE / "by_flows.py")]
    return [str(programs.with_name("sluicegate")), "serve", "--config", str(config)]


def _is_ready(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
