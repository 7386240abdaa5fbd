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
