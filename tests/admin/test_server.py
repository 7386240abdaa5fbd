import asyncio
import socket

import pytest

from sluicegate.admin.server import AdminServer
from sluicegate.errors import StartError
from support.admin import metrics


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
