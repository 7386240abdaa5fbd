import asyncio
import socket

import pytest

from sluicegate import serving as serving_module
from sluicegate.config.load import load_settings
from sluicegate.proxy.listener import listen_on
from sluicegate.serving import Serving
from support.origin import ScriptedOrigin


class Held:
    """Sends half of a response and no more."""

    def __init__(self):
        self.half_sent = asyncio.Event()

    async def __call__(self, peer):
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        self.half_sent.set()
        await asyncio.Event().wait()


@pytest.fixture
def environ(tmp_path):
    return {"SLUICEGATE_STATE_DIR": str(tmp_path / "state"), "SLUICEGATE_LOG__FILE": str(tmp_path / "proxy.log")}


async def test_draining_waits_for_what_is_under_way_until_it_is_cut_short(environ):
    serving = Serving(load_settings(environ=environ | {"SLUICEGATE_DRAIN_TIMEOUT": "10m"}))
    listening = listen_on("127.0.0.1", 0)
    port = listening.getsockname()[1]
    await serving.start(listening)
    held = Held()
    async with ScriptedOrigin(held) as origin:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {origin.url}/ HTTP/1.1\r\nHost: 127.0.0.1:{origin.port}\r\n\r\n".encode())
        await asyncio.wait_for(held.half_sent.wait(), 20)
        await reader.readuntil(b"half")

        serving.stop_accepting()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        assert (serving.connections, serving.under_way) == (1, 1)
        idle = asyncio.get_running_loop().create_task(serving.until_idle())
        await asyncio.sleep(0)
        assert not idle.done()
        serving.cut_short()
        await asyncio.wait_for(idle, 20)

        await serving.disconnect()
        assert serving.connections == 0
        writer.close()
        await serving.runtime.close()


async def test_what_closed_connections_have_left_is_collected_once_it_is_worth_it(environ, monkeypatch):
    swept = asyncio.Event()
    monkeypatch.setattr(serving_module, "_SWEEP_EVERY_S", 0.01)
    monkeypatch.setattr(serving_module.collector, "WORTH_A_PAUSE", 3)
    monkeypatch.setattr(serving_module.collector, "sweep", swept.set)
    serving = Serving(load_settings(environ=environ))
    listening = listen_on("127.0.0.1", 0)
    address = listening.getsockname()
    await serving.start(listening)
    for _ in range(3):
        assert not swept.is_set()
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"nonsense\r\n\r\n")
        await reader.read()
        writer.close()
    await asyncio.wait_for(swept.wait(), 10)
    await serving.disconnect()
    await serving.runtime.close()
