"""Tunnels and WebSockets: one permit each, and a refusal where there is none."""

import pytest
from mitmproxy import http
from mitmproxy.proxy.layers import TCPLayer
from mitmproxy.test import tflow

from sluicegate.core.access import AccessPolicy
from sluicegate.core.events import Access
from sluicegate.core.interception import Interception
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.errors import LoopDetected
from sluicegate.proxy.carrier import Closed
from sluicegate.proxy.wayside import Parent
from support.addonkit import addon_on, connect_to, layer_for
from support.engine import engine_bench


async def test_a_protocol_that_is_no_http_costs_a_permit_or_is_closed():
    limit = Limit("default", (Rate(3600, 1),))
    async with engine_bench(default=limit) as bench, addon_on(bench) as addon:
        first = await layer_for(addon, b"SSH-2.0-x\r\n", tunnel=("up.test", 22))
        second = await layer_for(addon, b"SSH-2.0-x\r\n", tunnel=("up.test", 22))

    assert isinstance(first, TCPLayer)
    assert isinstance(second, Closed)


async def test_connect_costs_nothing_where_the_requests_inside_are_limited():
    limit = Limit("default", (Rate(3600, 1),))
    async with engine_bench(default=limit) as bench, addon_on(bench) as addon:
        for _ in range(3):
            flow = connect_to("up.test")
            await addon.carrier.http_connect(flow)
            assert flow.response is None


async def test_a_tunnel_costs_a_permit_and_is_refused_without_one():
    limit = Limit("default", (Rate(3600, 1),))
    tunnel = Interception(intercept=False)
    async with engine_bench(default=limit) as bench, addon_on(bench, interception=tunnel) as addon:
        first, second = connect_to("up.test"), connect_to("up.test")
        await addon.carrier.http_connect(first)
        await addon.carrier.http_connect(second)

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
        await addon.carrier.http_connect(flow)

    assert flow.response.status_code == 502
    assert "a bug" in caplog.text


async def test_a_tunnel_into_a_private_network_is_refused_for_a_guarded_proxy():
    async with engine_bench() as bench, addon_on(bench, access=AccessPolicy(allow_private=False)) as addon:
        flow = connect_to("10.0.0.1")
        await addon.carrier.http_connect(flow)

    assert flow.response.status_code == 403


async def test_connect_asks_for_credentials_and_the_tunnel_remembers_them():
    access = AccessPolicy(users={"ada": "x"}, verify=lambda password, _hashed: password == "secret")
    async with engine_bench() as bench, addon_on(bench, access=access) as addon:
        without = connect_to("up.test")
        await addon.carrier.http_connect(without)
        with_them = connect_to("up.test")
        with_them.request.headers["Proxy-Authorization"] = "Basic YWRhOnNlY3JldA=="
        await addon.carrier.http_connect(with_them)

    assert without.response.status_code == 407
    assert with_them.response is None
    assert with_them.client_conn.proxyauth_user == "ada"


def websocket():
    flow = tflow.tflow()
    flow.request.headers["Upgrade"] = "websocket"
    flow.request.headers["Proxy-Authorization"] = "Basic secret"
    flow.request.headers["Sluicegate-Token"] = "secret"
    flow.response = None
    return flow


async def test_a_websocket_takes_a_permit_and_leaves_our_credentials_here():
    limit = Limit("default", (Rate(3600, 1),))
    async with engine_bench(default=limit) as bench, addon_on(bench) as addon:
        first, second = websocket(), websocket()
        await addon.carrier.requestheaders(first)
        await addon.carrier.requestheaders(second)

    assert first.response is None
    assert "proxy-authorization" not in first.request.headers
    assert "sluicegate-token" not in first.request.headers
    assert second.response.status_code == 429


async def test_a_websocket_that_loops_is_refused(monkeypatch):
    async with engine_bench() as bench, addon_on(bench) as addon:
        flow = websocket()
        flow.request.headers["Via"] = "1.1 me"
        await addon.carrier.requestheaders(flow)

    assert flow.response.status_code == LoopDetected.status


async def test_through_a_parent_proxy_mitmproxy_connects_there_with_our_credentials():
    parent = Parent(("parent.test", 3128), "Basic c2VjcmV0")
    async with engine_bench() as bench, addon_on(bench, parent=parent) as addon:
        flow = websocket()
        await addon.carrier.requestheaders(flow)
        upstream = connect_to("up.test")
        addon.carrier.http_connect_upstream(upstream)
        carried = await layer_for(addon, b"SSH-2.0-x\r\n", tunnel=("up.test", 22))

    assert flow.server_conn.via == ("http", ("parent.test", 3128))
    assert upstream.request.headers["Proxy-Authorization"] == "Basic c2VjcmV0"
    assert type(carried).__name__ == "HttpUpstreamProxy"


@pytest.mark.parametrize(("status", "streamed"), [(101, False), (200, True)])
async def test_what_answers_a_websocket_instead_of_opening_it_is_streamed(status, streamed):
    async with engine_bench() as bench, addon_on(bench) as addon:
        flow = websocket()
        await addon.carrier.requestheaders(flow)
        flow.response = http.Response.make(status)
        addon.carrier.responseheaders(flow)

    assert flow.response.stream is streamed
