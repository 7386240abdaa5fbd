import pytest

from sluicegate.core.http import Origin, RequestHead
from sluicegate.errors import BadRequest
from sluicegate.upstream.request import request_head
from support.upstream import PieceBody

ORIGIN = Origin("http", "example.com", 8080)


def head(request: RequestHead, body: PieceBody | None = None) -> list[bytes]:
    return request_head(request, body, extra=[]).split(b"\r\n")


def test_order_case_and_repetition_of_fields_are_kept_after_host():
    fields = [(b"x-B", b"1"), (b"Accept", b"*/*"), (b"X-b", b"2"), (b"EMPTY", b"")]

    lines = head(RequestHead("GET", ORIGIN, "/a?b=c", fields))

    assert lines == [
        b"GET /a?b=c HTTP/1.1",
        b"Host: example.com:8080",
        b"x-B: 1",
        b"Accept: */*",
        b"X-b: 2",
        b"EMPTY: ",
        b"",
        b"",
    ]


def test_a_host_field_of_the_request_is_used_once_and_comes_first():
    fields = [(b"A", b"b"), (b"host", b"other"), (b"Host", b"other")]

    assert head(RequestHead("GET", ORIGIN, "/", fields))[1:3] == [b"host: other", b"A: b"]


def test_rfc9112_3_2_host_fields_that_differ_are_refused():
    with pytest.raises(BadRequest, match="Host"):
        head(RequestHead("GET", ORIGIN, "/", [(b"Host", b"a"), (b"Host", b"b")]))


def test_absolute_form_carries_the_whole_url():
    line = request_head(RequestHead("GET", ORIGIN, "/x"), None, extra=[(b"Proxy-Authorization", b"z")], absolute=True)

    assert line.startswith(b"GET http://example.com:8080/x HTTP/1.1\r\n")
    assert b"\r\nProxy-Authorization: z\r\n" in line


def test_a_body_of_known_length_is_announced():
    assert b"Content-Length: 3" in head(RequestHead("POST", ORIGIN, "/"), PieceBody([b"abc"], length=3))


def test_a_body_of_unknown_length_is_chunked_and_a_stale_content_length_is_dropped():
    lines = head(RequestHead("POST", ORIGIN, "/", [(b"Content-Length", b"7")]), PieceBody([b"abc"]))

    assert b"Transfer-Encoding: chunked" in lines
    assert not any(line.lower().startswith(b"content-length") for line in lines)


def test_a_true_content_length_stays_in_its_place():
    fields = [(b"content-length", b"3"), (b"A", b"b")]

    assert head(RequestHead("POST", ORIGIN, "/", fields), PieceBody([b"abc"], length=3))[2:4] == [
        b"content-length: 3",
        b"A: b",
    ]


@pytest.mark.parametrize(("method", "announced"), [("POST", True), ("PUT", True), ("GET", False), ("DELETE", False)])
def test_rfc9110_8_6_methods_with_content_say_that_there_is_none(method: str, announced: bool):
    assert (b"Content-Length: 0" in head(RequestHead(method, ORIGIN, "/"))) is announced


def test_framing_and_connection_fields_of_the_caller_do_not_survive():
    fields = [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"5"), (b"Connection", b"close")]

    assert head(RequestHead("GET", ORIGIN, "/", fields)) == [
        b"GET / HTTP/1.1",
        b"Host: example.com:8080",
        b"",
        b"",
    ]


@pytest.mark.parametrize(
    "field",
    [
        (b"A", b"b\r\nEvil: 1"),
        (b"A", b"b\nEvil: 1"),
        (b"A", b"b\rEvil: 1"),
        (b"A", b"b\0"),
        (b"A: b\r\nEvil", b"1"),
        (b"A\0", b"b"),
        (b"A B", b"c"),
        (b"A:", b"c"),
        (b"", b"c"),
    ],
)
def test_header_injection_is_refused(field: tuple[bytes, bytes]):
    with pytest.raises(BadRequest):
        head(RequestHead("GET", ORIGIN, "/", [field]))


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/a b"),
        ("GET", "/\r\nEvil: 1"),
        ("GET", "/\0"),
        ("GET", ""),
        ("G T", "/"),
        ("", "/"),
        ("GET", "/\u20ac"),
    ],
)
def test_a_request_line_that_would_be_read_differently_is_refused(method: str, target: str):
    with pytest.raises(BadRequest):
        head(RequestHead(method, ORIGIN, target))
