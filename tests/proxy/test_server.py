import asyncio
import socket

import pytest

from sluicegate.assemble import Runtime
from sluicegate.config.load import load_settings
from sluicegate.proxy.listener import listen_on
from sluicegate.proxy.server import ProxyServer


@pytest.fixture
async def server(tmp_path):
    environ = {"SLUICEGATE_STATE_DIR": str(tmp_path / "state"), "SLUICEGATE_LOG__FILE": str(tmp_path / "proxy.log")}
    runtime = Runtime(load_settings(environ=environ))
    made = ProxyServer(runtime.addon, confdir=runtime.authority.confdir, upstream_roots=None)
    yield made
    await made.close()
    await runtime.close()


async def test_a_socket_shared_with_another_process_stays_open_there_when_we_stop_accepting(server):
    with listen_on("127.0.0.1", 0) as listening:
        await server.start(listening.dup())
        server.stop_accepting()

        with socket.create_connection(listening.getsockname(), timeout=10):
            listening.settimeout(10)
            accepted, _ = listening.accept()
            accepted.close()


@pytest.mark.parametrize(("busy", "closed"), [(True, False), (False, True)])
async def test_a_connection_that_waits_is_not_idle_and_one_that_does_not_is_closed(server, busy, closed):
    with listen_on("127.0.0.1", 0) as listening:
        address = listening.getsockname()
        await server.start(listening.dup())
        reader, writer = await asyncio.open_connection(*address)
        while not server._proxyserver.connections:
            await asyncio.sleep(0)
        (handler,) = server._proxyserver.connections.values()
        before = handler.timeout_watchdog.last_activity
        writer.write(b"GET")
        while handler.timeout_watchdog.last_activity == before:
            await asyncio.sleep(0)
        watched = []

        async def watch():
            watched.append(handler)

        handler.timeout_watchdog.watch = watch
        handler.transports[handler.client].writer.transport.get_protocol().busy = busy
        await handler.on_timeout()

        assert watched == ([] if closed else [handler])
        if closed:
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
