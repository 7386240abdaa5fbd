"""The addon between mitmproxy's hooks and the engine: above all, that nothing gets past the limiter when it fails."""

import asyncio

import pytest
from mitmproxy.connection import ConnectionState
from mitmproxy.proxy.layers import TCPLayer
from mitmproxy.test import tflow

from sluicegate.core.access import AccessPolicy
from sluicegate.core.interception import Interception
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.proxy.carrier import Closed
from sluicegate.proxy.lane import Lane
from support.addonkit import addon_on, layer_for
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response

HELLO = answer(response(body=b"hello", fields=[("Cache-Control", "no-store")]))


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        (b"GET http://up.test/ HTTP/1.1\r\n", {}, Lane),
        (b"C", {}, Lane),
        (b"GET / HTTP/1.1\r\n", {"tunnel": ("up.test", 80)}, Lane),
        (b"GET / HTTP/1.1\r\n", {"tunnel": ("up.test", 443), "tls": True}, Lane),
        (b"\x16\x03\x01", {"tunnel": ("up.test", 443)}, type(None)),
        (b"\x16\x03\x01", {"tunnel": ("pinned.test", 443)}, TCPLayer),
        (b"SSH-2.0-x\r\n", {"tunnel": ("up.test", 22)}, TCPLayer),
    ],
)
async def test_each_protocol_gets_its_layer(data, options, expected):
    async with engine_bench() as bench, addon_on(bench, interception=Interception(tunnel=("pinned.test",))) as addon:
        assert isinstance(await layer_for(addon, data, **options), expected)


async def test_a_bug_while_deciding_closes_the_connection(monkeypatch, caplog):
    def broken(_data):
        raise RuntimeError("a bug")

    monkeypatch.setattr("sluicegate.proxy.addon.starts_tls", broken)
    async with engine_bench() as bench, addon_on(bench) as addon:
        assert isinstance(await layer_for(addon, b"anything"), Closed)
    assert "a bug" in caplog.text


async def test_whatever_else_mitmproxys_own_layer_parses_is_answered_by_the_engine():
    async with engine_bench(access=AccessPolicy(allow_private=False)) as bench, addon_on(bench) as addon:
        bench.engine.access = AccessPolicy(allow_private=False)
        flow = tflow.tflow()
        flow.request.host = "10.0.0.1"
        flow.response = None
        await addon.request(flow)

    assert flow.response.status_code == 403


async def test_a_client_that_leaves_while_a_parsed_request_waits_spends_nothing():
    limits = {"127.0.0.1": Limit("127.0.0.1", (Rate(3600, 1),), max_wait_s=7200)}
    async with ScriptedOrigin(HELLO) as origin, engine_bench(hosts=limits) as bench, addon_on(bench) as addon:
        await bench.ask(origin.url + "/first")
        flow = tflow.tflow()
        flow.request.host, flow.request.port, flow.request.scheme = "127.0.0.1", origin.port, "http"
        flow.client_conn.state = ConnectionState.OPEN
        flow.response, flow.live = None, True
        waiting = asyncio.get_running_loop().create_task(addon.request(flow))
        while bench.gate.in_flight == 0 and not bench.gate.snapshot():
            await asyncio.sleep(0)
        addon._hub.patience.end(flow.client_conn)
        await waiting

    assert flow.error is not None
    assert [seen.target for seen in origin.log] == ["/first"]
    assert bench.gate.in_flight == 0
