"""Bytes that mean one thing to the proxy and another to an origin or a client: none get through as two opinions."""

import contextlib

import pytest

from support.origin import ThreadedOrigin, answer, once
from support.proxy import running_proxy
from support.vulnerable import Client, app, is_hit, read_reply


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    with running_proxy(tmp_path_factory.mktemp("proxy")) as running:
        yield running


async def patient(peer):
    """The origin, which takes it as it comes when a request ends before its end."""
    with contextlib.suppress(ValueError):
        await answer(app)(peer)


@pytest.fixture(scope="module")
def lasting():
    with ThreadedOrigin(patient) as plain:
        yield plain


@pytest.fixture
def origin(lasting):
    """The same for all tests; each sees its own requests."""
    lasting.log.clear()
    return lasting


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n"
AMBIGUOUS = {
    "cl-te": b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    "te-cl": b"Transfer-Encoding: chunked\r\nContent-Length: 5",
    "two-cl": b"Content-Length: 5\r\nContent-Length: 6",
    "same-cl-twice": b"Content-Length: 5\r\nContent-Length: 5",
    "cl-list": b"Content-Length: 5, 5",
    "cl-plus": b"Content-Length: +5",
    "cl-minus": b"Content-Length: -5",
    "cl-hex": b"Content-Length: 0x5",
    "cl-empty": b"Content-Length:",
    "cl-space-in": b"Content-Length: 5 5",
    "cl-overflow": b"Content-Length: 18446744073709551621",
    "te-x": b"Transfer-Encoding: xchunked",
    "te-identity": b"Transfer-Encoding: identity",
    "te-chunked-twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "te-chunked-not-last": b"Transfer-Encoding: chunked, identity",
    "te-quoted": b'Transfer-Encoding: "chunked"',
    "te-vertical-tab": b"Transfer-Encoding: \x0bchunked",
    "te-space-before-colon": b"Transfer-Encoding : chunked",
    "te-tab-before-colon": b"Transfer-Encoding\t: chunked",
    "te-obs-fold": b"Transfer-Encoding:\r\n chunked",
    "te-nul": b"Transfer-Encoding: chunked\x00",
    "leading-space": b" Transfer-Encoding: chunked",
    "bare-cr": b"X: 1\rTransfer-Encoding: chunked",
    "bare-lf": b"X: 1\nTransfer-Encoding: chunked",
    "nul-in-value": b"X: a\x00b",
    "nul-in-name": b"X\x00: a",
    "obs-fold": b"X: a\r\n b",
    "no-name": b": a",
    "no-colon": b"Transfer-Encoding chunked",
    "control-in-name": b"X\x01: a",
    "unicode-name": "Ünicode: a".encode(),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_one_request_never_becomes_two(proxy, origin, name):
    client = Client(proxy, origin.url)
    head = (
        f"POST {origin.url}/fresh/x HTTP/1.1\r\nHost: {client.authority}\r\n".encode() + AMBIGUOUS[name] + b"\r\n\r\n"
    )

    # The reply's connection is closed, or every byte that follows is one request as both of us see it.
    received = client.exchange(head + b"0\r\n\r\n" + SMUGGLED)

    assert not [seen for seen in origin.log if seen.target == "/smuggled"]
    assert b"/smuggled" not in received
    assert read_reply(received).status in {400, 408, 501} or len(origin.log) <= 1


BAD_CHUNKS = {
    "size-not-hex": b"zz\r\nhello\r\n0\r\n\r\n",
    "size-with-0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size-with-sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "size-with-space": b"5 \r\nhello\r\n0\r\n\r\n",
    "size-overflow": b"ffffffffffffffff1\r\nhello\r\n0\r\n\r\n",
    "size-too-small": b"4\r\nhello\r\n0\r\n\r\n",
    "bare-lf-in-extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "bare-cr-after-size": b"5\rX\nhello\r\n0\r\n\r\n",
    "bare-lf-after-size": b"5\nhello\r\n0\r\n\r\n",
    "bare-lf-after-data": b"5\r\nhello\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_a_chunked_body_with_two_readings_is_not_sent_on_whole(proxy, origin, name):
    client = Client(proxy, origin.url)
    head = f"POST {origin.url}/x HTTP/1.1\r\nHost: {client.authority}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()

    received = client.exchange(head + BAD_CHUNKS[name] + SMUGGLED)

    assert read_reply(received).status in {0, 400}
    assert not [seen for seen in origin.log if seen.target == "/smuggled"]


def test_chunk_extensions_and_trailers_that_frame_go_no_further(proxy, origin):
    client = Client(proxy, origin.url)
    head = f"POST {origin.url}/x HTTP/1.1\r\nHost: {client.authority}\r\nTransfer-Encoding: chunked\r\n"
    body = "5;evil=1;x\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n"

    assert read_reply(client.exchange(f"{head}Connection: close\r\n\r\n{body}".encode())).status == 200

    assert origin.log[-1].body == b"hello"


SPLIT = {
    "cr-lf-in-path": "/a\r\nX-Evil: 1\r\n",
    "cr-in-path": "/a\rb",
    "nul-in-path": "/a\x00b",
    "space-in-path": "/a b",
    "tab-in-path": "/a\tb",
}


@pytest.mark.parametrize("name", SPLIT)
def test_a_request_line_is_one_line(proxy, origin, name):
    client = Client(proxy, origin.url)

    client.raw(origin.url + SPLIT[name], f"Host: {client.authority}")

    assert all(seen.get("X-Evil") is None or seen.target == "/a" for seen in origin.log)
    assert not [seen for seen in origin.log if any(char in seen.target for char in "\r\n\0\t")]


def test_what_is_percent_encoded_stays_so(proxy, origin):
    client = Client(proxy, origin.url)

    client.get("/fresh/%0d%0aSet-Cookie:%20evil=1")

    assert origin.log[-1].target == "/fresh/%0d%0aSet-Cookie:%20evil=1"


BAD_RESPONSES = {
    "te-and-cl": b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nevil",
    "two-cl": b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\nokevil",
    "obs-fold": b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nX: a\r\n evil\r\nContent-Length: 2\r\n\r\nok",
    "nul": b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nX: \x00evil\r\nContent-Length: 2\r\n\r\nok",
    "bare-cr": b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nX: a\rSet-Cookie: evil\r\nContent-Length: 2\r\n\r\nok",
    "space-before-colon": b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length : 2\r\n\r\nokevil",
    "surplus": b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
}


@pytest.mark.parametrize("name", BAD_RESPONSES)
def test_a_response_with_two_readings_is_not_kept_for_others(proxy, name):
    with ThreadedOrigin(once(BAD_RESPONSES[name])) as bad:
        client = Client(proxy, bad.url)
        client.get("/x")

        again = client.get("/x")
        other = client.get("/y")

    assert b"evil" not in again.body + other.body
    assert (again.get("X") or "").find("evil") < 0
    assert again.get("Set-Cookie") is None
    assert name == "surplus" or not is_hit(again)


def test_nothing_of_one_origin_is_kept_under_the_name_of_another(proxy, origin):
    """Inside a tunnel, an absolute target of another origin is that origin's, and Host has to agree."""
    with ThreadedOrigin(answer(app)) as other:
        inside = f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1\r\nHost: 127.0.0.1:{origin.port}\r\n\r\n".encode()
        with proxy.raw(inside) as tunnel:
            assert tunnel.recv(65536).startswith(b"HTTP/1.1 200")
            tunnel.sendall(
                f"GET {other.url}/fresh/tunnel HTTP/1.1\r\nHost: 127.0.0.1:{origin.port}\r\n"
                "X-Mark: evil\r\nConnection: close\r\n\r\n".encode()
            )
            while tunnel.recv(65536):
                pass

        for server in (origin, other):
            assert b"evil" not in Client(proxy, server.url).get("/fresh/tunnel").body
