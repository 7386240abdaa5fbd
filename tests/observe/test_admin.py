import asyncio
import json
import socket
from http.client import HTTPConnection

import pytest

from sluicegate.errors import StartError
from sluicegate.observe.admin import AdminServer
from sluicegate.observe.metrics import Metrics
from sluicegate.observe.state import LimitState, State
from sluicegate.observe.status import ConfigInfo, status_document
from sluicegate.observe.totals import Totals


def document():
    return status_document(
        listen="127.0.0.1:3128",
        uptime_s=12.3456,
        config=ConfigInfo("/etc/sluicegate.yaml", "abc123", 1_800_000_000.0),
        totals=Totals(requests=4, hits=1),
        state=State([LimitState("h", "default", "10/second", 8, queue=2, in_flight=1)], 5, 500, 3, 1),
    )


class Proxy:
    """What the admin server looks at."""

    ready = True
    make_status = staticmethod(document)

    async def status(self):
        return self.make_status()


async def metrics(accept):
    return Metrics().exposition(accept)


@pytest.fixture
def proxy():
    return Proxy()


@pytest.fixture
async def admin(proxy):
    server = AdminServer("127.0.0.1", 0, status=proxy.status, ready=lambda: proxy.ready, metrics=metrics)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def ask(admin):
    def blocking(path, method, headers):
        connection = HTTPConnection("127.0.0.1", admin.port, timeout=20)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    async def ask_it(path, method="GET", **headers):
        return await asyncio.to_thread(blocking, path, method, headers)

    return ask_it


async def test_health_is_200_as_long_as_the_process_lives(ask, proxy):
    proxy.ready = False

    status, _, body = await ask("/healthz")

    assert (status, body) == (200, "ok\n")


async def test_readiness_follows_the_proxy(ask, proxy):
    assert (await ask("/readyz"))[0] == 200

    proxy.ready = False

    assert (await ask("/readyz"))[0] == 503


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("*/*", "text/plain"), ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text")],
)
async def test_metrics_come_in_the_format_asked_for(ask, accept, content_type):
    status, headers, body = await ask("/metrics", Accept=accept)

    assert status == 200
    assert headers["Content-Type"].startswith(content_type)
    assert "sluicegate_process_resident_memory_bytes" in body


async def test_status_is_the_documented_json(ask):
    status, headers, body = await ask("/api/status")

    assert status == 200
    assert headers["Content-Type"] == "application/json"
    told = json.loads(body)
    assert told == document()
    assert told["uptime_s"] == 12.346
    assert told["config"] == {"file": "/etc/sluicegate.yaml", "checksum": "abc123", "loaded_at": 1_800_000_000.0}
    assert told["limits"][0]["queue"] == 2
    assert told["cache"] == {"entries": 5, "bytes": 500}
    assert told["upstream"] == {"open": 3, "idle": 1}


async def test_the_dashboard_may_load_nothing_from_elsewhere(ask):
    status, headers, body = await ask("/")

    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert policy.count("'sha256-") == 2
    assert "http://" not in body
    assert "https://" not in body


async def test_answers_are_neither_cached_nor_sniffed_nor_framed(ask):
    for path in ("/", "/api/status", "/metrics", "/healthz", "/nothing-here"):
        _, headers, _ = await ask(path)
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Server"] == "sluicegate"


async def test_head_is_get_without_the_body(ask):
    status, headers, body = await ask("/api/status", method="HEAD")

    assert (status, body) == (200, "")
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_the_server_only_reads(ask, method):
    assert (await ask("/api/status", method=method))[0] == 405


async def test_other_paths_are_told_what_there_is(ask):
    status, _, body = await ask("/metric")

    assert status == 404
    assert "/metrics" in body


@pytest.mark.parametrize("host", ["localhost:{}", "LOCALHOST", "127.0.0.1:{}", "[::1]:{}", "127.0.0.1"])
async def test_local_names_are_answered(ask, admin, host):
    assert (await ask("/api/status", Host=host.format(admin.port)))[0] == 200


@pytest.mark.parametrize("path", ["/api/status", "/", "/metrics", "/nothing-here"])
@pytest.mark.parametrize(
    "host", ["attacker.example:{}", "127.0.0.1.attacker.example", "localhost.attacker.example", "10.0.0.1"]
)
async def test_a_loopback_server_refuses_foreign_names_against_dns_rebinding(ask, admin, host, path):
    status, _, body = await ask(path, Host=host.format(admin.port))

    assert status == 403
    assert "3128" not in body


async def test_a_server_that_others_may_reach_answers_to_any_name(proxy):
    server = AdminServer("0.0.0.0", 0, status=proxy.status, ready=lambda: True, metrics=metrics)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: pod.example\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await server.stop()

    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_status_that_cannot_be_made_is_a_500_and_the_server_lives_on(ask, proxy, caplog):
    proxy.make_status = lambda: 1 / 0

    assert (await ask("/api/status"))[0] == 500
    assert (await ask("/healthz"))[0] == 200


async def test_a_busy_port_is_a_start_error_that_names_the_address_and_the_cure(proxy):
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        port = occupant.getsockname()[1]
        server = AdminServer("127.0.0.1", port, status=proxy.status, ready=lambda: True, metrics=metrics)

        with pytest.raises(
            StartError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"
        ) as caught:
            await server.start()

    assert "--admin" in caught.value.advice


async def test_stopping_closes_the_port_and_the_connections_and_can_be_repeated(admin):
    reader, writer = await asyncio.open_connection("127.0.0.1", admin.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"ok\n")

    await admin.stop()
    await admin.stop()

    assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", admin.port)


async def test_an_ipv6_address_is_written_as_urls_have_it(proxy):
    server = AdminServer("::1", 0, status=proxy.status, ready=lambda: True, metrics=metrics)

    assert server.address == "[::1]:0"
