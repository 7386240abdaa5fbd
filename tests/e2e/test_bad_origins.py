"""Origins that break their word: the client is told or cut off, and nothing that was cut short is kept."""

import asyncio
import http.client
import json
import socket
import threading

import pytest

from support.origin import Peer, ThreadedOrigin, hang, once, response
from support.proxy import read_all, running_proxy

FRESH = b"Cache-Control: max-age=600\r\n"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    upstream = {"first_byte_timeout": "300ms", "idle_timeout": "500ms", "connect_timeout": "2s"}
    with running_proxy(tmp_path_factory.mktemp("bad-origins"), upstream=upstream) as running:
        yield running


def fetch(proxy, origin, path="/"):
    """The raw bytes of an answer."""
    host = f"127.0.0.1:{origin.port}"
    return proxy.exchange(f"GET http://{host}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())


def assert_problem(answer, status, error):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert f"Proxy-Status: Sluicegate; error={error};".encode() in head
    assert json.loads(body)["detail"]


def test_an_origin_that_refuses_is_told_as_502(proxy):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    reply = proxy.get(f"http://127.0.0.1:{port}/")

    assert reply.status == 502
    assert "error=connection_refused" in reply.get("proxy-status")
    assert f"127.0.0.1:{port}" in json.loads(reply.body)["detail"]


def test_an_unknown_name_is_told_as_502(proxy):
    reply = proxy.get("http://no-such-host.invalid/")

    assert reply.status == 502
    assert "error=dns_error" in reply.get("proxy-status")


def test_an_origin_that_hangs_is_told_as_504(proxy):
    with ThreadedOrigin(hang) as origin:
        assert_problem(fetch(proxy, origin), 504, "http_response_timeout")


async def close_at_once(peer: Peer) -> None:
    await peer.request()


async def reset_at_once(peer: Peer) -> None:
    await peer.request()
    peer.reset()


@pytest.mark.parametrize("handler", [close_at_once, reset_at_once])
def test_an_origin_that_leaves_without_an_answer_is_told_as_502(proxy, handler):
    with ThreadedOrigin(handler) as origin:
        assert_problem(fetch(proxy, origin), 502, "http_response_incomplete")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 two hundred OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad field\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 400_000 + b"\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
    ],
    ids=[
        "status-in-words",
        "two-digits",
        "icy",
        "version",
        "two-lengths",
        "length-in-words",
        "length-and-coding",
        "unasked-coding",
        "unasked-101",
        "no-colon",
        "huge-field",
        "binary",
    ],
)
def test_a_malformed_head_is_told_as_502(proxy, data):
    with ThreadedOrigin(once(data)) as origin:
        assert_problem(fetch(proxy, origin), 502, "http_protocol_error")


def short_of_its_length(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n" + FRESH + b"Content-Length: 100\r\n\r\nonly this")


def chunks_without_an_end(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n" + FRESH + b"Transfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n")


def half_a_chunk(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n" + FRESH + b"Transfer-Encoding: chunked\r\n\r\n20\r\nonly this")


def a_bad_chunk(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n" + FRESH + b"Transfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\nzz\r\n")


def cut(how, ending):
    async def handle(peer: Peer) -> None:
        await peer.request()
        how(peer)
        await peer.drain()
        if ending == "reset":
            peer.reset()
        elif ending == "hang":
            await peer.gone()

    return handle


@pytest.mark.parametrize("ending", ["close", "reset", "hang"])
@pytest.mark.parametrize("how", [short_of_its_length, chunks_without_an_end, half_a_chunk, a_bad_chunk])
def test_what_is_cut_short_is_seen_to_be_cut_and_never_stored(proxy, how, ending):
    with ThreadedOrigin(cut(how, ending)) as origin:
        for asked in (1, 2):
            connection = http.client.HTTPConnection(proxy.host, proxy.port, timeout=20)
            connection.request("GET", f"{origin.url}/cut")
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                connection.getresponse().read()
            connection.close()
            assert len(origin.log) == asked, "the second fetch asks the origin again"


def test_an_end_by_close_that_was_reset_is_seen_to_be_cut(proxy):
    async def reset(peer: Peer) -> None:
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\n" + FRESH + b"\r\n" + b"half" * 1000)
        await peer.drain()
        peer.reset()

    with ThreadedOrigin(reset) as origin:
        for asked in (1, 2):
            answer = fetch(proxy, origin)
            assert b"0\r\n\r\n" not in answer[-5:], "no last chunk: the client can tell"
            assert len(origin.log) == asked


def test_bytes_beyond_the_length_are_dropped_and_do_not_become_the_next_answer(proxy):
    smuggled = response(body=b"smuggled", fields=[("Cache-Control", "max-age=600")])

    async def generous(peer: Peer) -> None:
        await peer.request()
        peer.send(response(body=b"true") + smuggled)
        await peer.gone()

    with ThreadedOrigin(generous) as origin:
        for asked in (1, 2):
            assert fetch(proxy, origin, f"/{asked}").endswith(b"\r\n\r\ntrue")
            assert origin.accepted == asked, "the connection is not used again"


def test_an_end_by_close_is_a_whole_response_and_is_stored(proxy):
    with ThreadedOrigin(once(b"HTTP/1.0 200 OK\r\n" + FRESH + b"\r\nuntil the end")) as origin:
        for _ in (1, 2):
            reply = proxy.get(f"{origin.url}/")
            assert (reply.status, reply.body) == (200, b"until the end")

        assert len(origin.log) == 1


def test_early_hints_are_passed_on_before_the_answer(proxy):
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    with ThreadedOrigin(once(hints + response(body=b"page"))) as origin:
        answer = fetch(proxy, origin)

    assert answer.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"page")


def test_early_hints_reach_the_client_while_the_origin_still_works(proxy):
    seen = threading.Event()

    async def hinting(peer: Peer) -> None:
        await peer.request()
        peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.to_thread(seen.wait, 20)
        peer.send(response(body=b"page"))

    with ThreadedOrigin(hinting) as origin:
        host = f"127.0.0.1:{origin.port}"
        with proxy.raw(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()) as client:
            assert client.recv(20).startswith(b"HTTP/1.1 103 ")
            seen.set()
            assert read_all(client).endswith(b"page")


def test_a_100_that_nobody_asked_for_is_not_passed_on(proxy):
    with ThreadedOrigin(once(b"HTTP/1.1 100 Continue\r\n\r\n" + response(body=b"page"))) as origin:
        answer = fetch(proxy, origin)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"page")
