import pytest
from mitmproxy.test import tflow

from sluicegate.core.http import Origin
from sluicegate.errors import CacheStoreError
from sluicegate.exchange.call import Call
from sluicegate.proxy import flows
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response


def flow_to(origin, method="GET", content=b"", **fields):
    flow = tflow.tflow()
    flow.request.method = method
    flow.request.host = "127.0.0.1"
    flow.request.port = origin.port
    flow.request.scheme = "http"
    flow.request.path = "/a?b"
    flow.request.content = content
    for name, value in fields.items():
        flow.request.headers[name] = value
    return flow


async def answered(bench, flow):
    call = Call("t-1", "127.0.0.1", flows.head_of(flow))
    await flows.answer(bench.engine, flow, call)
    return flow.response


async def test_a_flow_is_answered_by_the_same_engine():
    async with (
        ScriptedOrigin(answer(response(body=b"hello", fields=[("X-One", "1")]))) as origin,
        engine_bench() as bench,
    ):
        got = await answered(bench, flow_to(origin, "POST", b"content"))

    assert (got.status_code, got.content, got.headers["x-one"]) == (200, b"hello", "1")
    assert (origin.log[0].method, origin.log[0].target, origin.log[0].body) == ("POST", "/a?b", b"content")


async def test_a_response_too_large_to_hold_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(flows, "MAX_BODY", 1000)
    async with ScriptedOrigin(answer(response(body=b"x" * 2000))) as origin, engine_bench() as bench:
        got = await answered(bench, flow_to(origin))

    assert got.status_code == 502
    assert b"too large" in got.content
    assert bench.gate.in_flight == 0


async def test_head_keeps_the_length_it_tells_of():
    async with (
        ScriptedOrigin(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n")) as origin,
        engine_bench() as bench,
    ):
        got = await answered(bench, flow_to(origin, "HEAD"))

    assert got.headers["content-length"] == "77"


@pytest.mark.parametrize("status", [204, 304])
async def test_a_response_that_has_no_body_is_told_no_length(status):
    async with (
        ScriptedOrigin(answer(b'HTTP/1.1 %d Fine\r\nETag: "v1"\r\n\r\n' % status)) as origin,
        engine_bench() as bench,
    ):
        got = await answered(bench, flow_to(origin))

    assert (got.status_code, got.headers["etag"]) == (status, '"v1"')
    assert "content-length" not in got.headers


def test_pseudo_fields_are_no_fields():
    flow = tflow.tflow()
    flow.request.headers.fields = ((b":authority", b"up.test"), (b"accept", b"a"))
    head = flows.head_of(flow)

    assert head.fields == [(b"accept", b"a")]
    assert isinstance(head.origin, Origin)


def test_a_websocket_is_known_by_its_upgrade():
    flow = tflow.tflow()
    assert not flows.is_websocket(flow)
    flow.request.headers["Upgrade"] = "WebSocket"
    assert flows.is_websocket(flow)


async def test_a_body_that_fails_in_the_middle_gives_back_its_slot():
    async def cut(peer):
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await peer.drain()

    async with ScriptedOrigin(cut) as origin, engine_bench() as bench:
        got = await answered(bench, flow_to(origin))

    assert got.status_code == 502
    assert bench.gate.in_flight == 0


async def test_a_fault_of_the_store_in_the_middle_gives_back_the_slot_too(monkeypatch):
    async def broken(_self):
        raise CacheStoreError("gone")

    async def slow(peer):
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await peer.drain()
        await peer.gone()

    async with ScriptedOrigin(slow) as origin, engine_bench() as bench:
        monkeypatch.setattr("sluicegate.exchange.bodies.ReleasingBody.read", broken)
        with pytest.raises(CacheStoreError):
            await answered(bench, flow_to(origin))

    assert bench.gate.in_flight == 0


@pytest.mark.parametrize(
    ("host", "same"), [("127.0.0.1:{}", True), ("127.0.0.1:1", False), ("evil.test", False), (None, True)]
)
async def test_a_host_other_than_that_of_the_origin_is_noticed(host, same):
    async with ScriptedOrigin(answer(response())) as origin:
        flow = flow_to(origin)
        flow.request.headers.pop("Host", None)
        if host is not None:
            flow.request.headers["Host"] = host.format(origin.port)

        assert flows.names_its_origin(flows.head_of(flow)) is same
