"""The addon between mitmproxy's hooks and the engine: above all, that nothing gets past the limiter when it fails."""

import contextlib
from pathlib import Path

import pytest
from mitmproxy import tls
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client, ConnectionState
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import TCPLayer
from mitmproxy.test import taddons, tflow

from sluicegate.clock import ManualClock, SystemClock
from sluicegate.core.access import AccessPolicy
from sluicegate.core.events import Access, Notice
from sluicegate.core.interception import Interception
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.errors import LoopDetected
from sluicegate.exchange.call import Identity
from sluicegate.proxy.addon import Closed, Services, SluicegateAddon
from sluicegate.proxy.lane import Lane
from sluicegate.proxy.wayside import Parent, Wayside
from support.engine import engine_bench

ME = Identity(b"me")
EVERYTHING = Interception()


@contextlib.asynccontextmanager
async def addon_on(bench, *, interception=EVERYTHING, access=None, parent=None):
    access = access or AccessPolicy()
    services = Services(
        bench.engine,
        Wayside(gate=bench.gate, access=access, identity=ME, parent=parent),
        interception,
        65536,
        Path("ca.pem"),
    )
    bench.engine.access = access
    addon = SluicegateAddon(services, clock=SystemClock(), events=bench.events)
    with taddons.context(Proxyserver(), addon) as tctx:
        addon.options = tctx.options
        yield addon


def context_of(addon, *, tunnel=None, tls=False):
    client = Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), state=ConnectionState.OPEN)
    client.tls = tls
    context = Context(client, addon.options)
    context.server.address = tunnel
    return context


async def layer_for(addon, data, **options):
    return await layer_in(addon, context_of(addon, **options), data)


async def layer_in(addon, context, data):
    nextlayer = layer.NextLayer(context)
    nextlayer.events.append(events.DataReceived(context.client, data))
    await addon.next_layer(nextlayer)
    return nextlayer.layer


def connect_to(host, port=443):
    flow = tflow.tflow()
    flow.request.method = "CONNECT"
    flow.request.host, flow.request.port = host, port
    flow.response = None
    return flow


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


async def test_a_protocol_that_is_no_http_costs_a_permit_or_is_closed():
    limit = Limit("default", (Rate(3600, 1),))
    async with engine_bench(default=limit) as bench, addon_on(bench) as addon:
        first = await layer_for(addon, b"SSH-2.0-x\r\n", tunnel=("up.test", 22))
        second = await layer_for(addon, b"SSH-2.0-x\r\n", tunnel=("up.test", 22))

    assert isinstance(first, TCPLayer)
    assert isinstance(second, Closed)


async def test_a_bug_while_deciding_closes_the_connection(monkeypatch, caplog):
    def broken(_data):
        raise RuntimeError("a bug")

    monkeypatch.setattr("sluicegate.proxy.addon.starts_tls", broken)
    async with engine_bench() as bench, addon_on(bench) as addon:
        assert isinstance(await layer_for(addon, b"anything"), Closed)
    assert "a bug" in caplog.text


async def test_connect_costs_nothing_where_the_requests_inside_are_limited():
    limit = Limit("default", (Rate(3600, 1),))
    async with engine_bench(default=limit) as bench, addon_on(bench) as addon:
        for _ in range(3):
            flow = connect_to("up.test")
            await addon.http_connect(flow)
            assert flow.response is None


async def test_a_tunnel_costs_a_permit_and_is_refused_without_one():
    limit = Limit("default", (Rate(3600, 1),))
    tunnel = Interception(intercept=False)
    async with engine_bench(default=limit) as bench, addon_on(bench, interception=tunnel) as addon:
        first, second = connect_to("up.test"), connect_to("up.test")
        await addon.http_connect(first)
        await addon.http_connect(second)

    assert first.response is None
    assert second.response.status_code == 429
    assert "retry-after" in second.response.headers
    assert [access.cache for access in bench.events.of(Access)] == ["tunnel", "none"]


async def test_a_bug_at_connect_refuses_the_tunnel(monkeypatch, caplog):
    async with engine_bench() as bench, addon_on(bench, interception=Interception(intercept=False)) as addon:

        async def broken(_call):
            raise RuntimeError("a bug")

        monkeypatch.setattr(addon.services.wayside, "permit", broken)
        flow = connect_to("up.test")
        await addon.http_connect(flow)

    assert flow.response.status_code == 502
    assert "a bug" in caplog.text


async def test_a_tunnel_into_a_private_network_is_refused_for_a_guarded_proxy():
    async with engine_bench() as bench, addon_on(bench, access=AccessPolicy(allow_private=False)) as addon:
        flow = connect_to("10.0.0.1")
        await addon.http_connect(flow)

    assert flow.response.status_code == 403


async def test_connect_asks_for_credentials_and_the_tunnel_remembers_them():
    access = AccessPolicy(users={"ada": "x"}, verify=lambda password, _hashed: password == "secret")
    async with engine_bench() as bench, addon_on(bench, access=access) as addon:
        without = connect_to("up.test")
        await addon.http_connect(without)
        with_them = connect_to("up.test")
        with_them.request.headers["Proxy-Authorization"] = "Basic YWRhOnNlY3JldA=="
        await addon.http_connect(with_them)

    assert without.response.status_code == 407
    assert with_them.response is None
    assert with_them.client_conn.proxyauth_user == "ada"


def websocket():
    flow = tflow.tflow()
    flow.request.headers["Upgrade"] = "websocket"
    flow.request.headers["Proxy-Authorization"] = "Basic secret"
    flow.response = None
    return flow


async def test_a_websocket_takes_a_permit_and_leaves_our_credentials_here():
    limit = Limit("default", (Rate(3600, 1),))
    async with engine_bench(default=limit) as bench, addon_on(bench) as addon:
        first, second = websocket(), websocket()
        await addon.requestheaders(first)
        await addon.requestheaders(second)

    assert first.response is None
    assert "proxy-authorization" not in first.request.headers
    assert second.response.status_code == 429


async def test_a_websocket_that_loops_is_refused(monkeypatch):
    async with engine_bench() as bench, addon_on(bench) as addon:
        flow = websocket()
        flow.request.headers["Via"] = "1.1 me"
        await addon.requestheaders(flow)

    assert flow.response.status_code == LoopDetected.status


async def test_whatever_else_mitmproxys_own_layer_parses_is_answered_by_the_engine():
    async with engine_bench(access=AccessPolicy(allow_private=False)) as bench, addon_on(bench) as addon:
        bench.engine.access = AccessPolicy(allow_private=False)
        flow = tflow.tflow()
        flow.request.host = "10.0.0.1"
        flow.response = None
        await addon.request(flow)

    assert flow.response.status_code == 403


async def test_through_a_parent_proxy_mitmproxy_connects_there_with_our_credentials():
    parent = Parent(("parent.test", 3128), "Basic c2VjcmV0")
    async with engine_bench() as bench, addon_on(bench, parent=parent) as addon:
        flow = websocket()
        await addon.requestheaders(flow)
        upstream = connect_to("up.test")
        addon.http_connect_upstream(upstream)
        carried = await layer_for(addon, b"SSH-2.0-x\r\n", tunnel=("up.test", 22))

    assert flow.server_conn.via == ("http", ("parent.test", 3128))
    assert upstream.request.headers["Proxy-Authorization"] == "Basic c2VjcmV0"
    assert type(carried).__name__ == "HttpUpstreamProxy"


@pytest.mark.parametrize(("spoke", "after_s", "accused"), [(False, 0.1, 1), (False, 30, 0), (True, 0.1, 0)])
async def test_who_leaves_right_after_the_handshake_without_a_word_does_not_trust_us(spoke, after_s, accused):
    clock = ManualClock()
    async with engine_bench() as bench, addon_on(bench) as addon:
        addon._clock = clock
        context = context_of(addon, tunnel=("up.test", 443), tls=True)
        addon.tls_established_client(tls.TlsData(context.client, context, None))
        if spoke:
            await layer_in(addon, context, b"GET / HTTP/1.1\r\n")
        await clock.advance(after_s)
        addon.client_disconnected(context.client)

    told = [notice for notice in bench.events.of(Notice) if notice.event == "client_refused_certificate"]
    assert len(told) == accused
