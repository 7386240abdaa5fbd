import pytest

from sluicegate.core.http import ResponseHead
from sluicegate.exchange.bodies import BytesBody
from sluicegate.exchange.call import Answer
from sluicegate.proxy import wire


class Unknown(BytesBody):
    length = None

    def __init__(self):
        self.trailers = []


def framing(status=200, body=None, *, method="GET", http_10=False, keep_alive=True):
    answer = Answer(ResponseHead(status, b"OK", []), body or BytesBody(b"abc"))
    return wire.Framing(answer, method=method, http_10=http_10, keep_alive=keep_alive)


def test_a_known_length_replaces_whatever_the_origin_claimed():
    head = framing().head(ResponseHead(200, b"OK", [(b"content-length", b"999"), (b"ETag", b'"a"')]))

    assert head == b'HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 3\r\n\r\n'


def test_an_unknown_length_is_chunked_with_trailers():
    chunked = framing(body=Unknown())

    assert chunked.piece(b"") == b""  # which would be the end
    assert chunked.head(ResponseHead(200, b"OK", [])) == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert chunked.piece(b"0123456789abcdef") == b"10\r\n0123456789abcdef\r\n"
    assert chunked.end([(b"X-Sum", b"1")]) == b"0\r\nX-Sum: 1\r\n\r\n"


def test_http_10_gets_an_unknown_length_until_the_connection_closes():
    old = framing(body=Unknown(), http_10=True)

    assert old.close
    assert b"chunked" not in old.head(ResponseHead(200, b"OK", []))
    assert old.piece(b"abc") + old.end([]) == b"abc"


def test_http_10_is_told_that_its_connection_is_kept():
    assert b"Connection: keep-alive" in framing(http_10=True).head(ResponseHead(200, b"OK", []))


@pytest.mark.parametrize(("status", "method"), [(304, "GET"), (200, "HEAD")])
def test_a_response_without_body_keeps_the_length_it_tells_of(status, method):
    bodyless = framing(status, method=method)

    assert bodyless.bodyless
    assert b"Content-Length: 77" in bodyless.head(ResponseHead(status, b"", [(b"Content-Length", b"77")]))


def test_the_end_of_a_connection_is_announced():
    assert b"Connection: close\r\n" in framing(keep_alive=False).head(ResponseHead(200, b"OK", []))


def test_a_missing_reason_phrase_is_filled_in():
    assert wire.interim(ResponseHead(103, b"Early Hints", [(b"Link", b"</a>")])) == (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    )


def test_a_204_has_no_length():
    reply = Answer(ResponseHead(204, b"", [(b"Content-Length", b"0"), (b"A", b"b")]), BytesBody())

    assert wire.Framing(reply, method="GET", http_10=False, keep_alive=True).head(reply.head) == (
        b"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n"
    )
