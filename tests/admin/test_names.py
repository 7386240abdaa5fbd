import asyncio

import pytest

from sluicegate.admin.server import AdminServer
from support.admin import metrics


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
