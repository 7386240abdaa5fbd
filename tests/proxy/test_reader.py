import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.http import Origin
from sluicegate.errors import BadRequest, FieldsTooLarge
from sluicegate.proxy.feed import ClientBody
from sluicegate.proxy.reader import Fault, Handover, Incoming, RequestReader

TUNNEL = Origin("https", "up.test", 443)


def make_body(length):
    return ClientBody(length, pause=lambda: None, resume=lambda: None)


def reader(tunnel_origin=None, header_limit=65536):
    return RequestReader(tunnel_origin=tunnel_origin, header_limit=header_limit, make_body=make_body)


def parse(data, **options):
    made = reader(**options)
    made.feed(data)
    return made.parsed


def only(data, **options):
    (parsed,) = parse(data, **options)
    return parsed


def fault_of(data, **options):
    parsed = only(data, **options)
    assert isinstance(parsed, Fault)
    return parsed.error


def test_absolute_form_names_the_origin():
    incoming = only(b"GET http://Up.Test:8080/a?b=c HTTP/1.1\r\nHost: other\r\nX-One: 1\r\nx-one: 2\r\n\r\n")

    assert isinstance(incoming, Incoming)
    assert incoming.head.origin == Origin("http", "up.test", 8080)
    assert incoming.head.target == "/a?b=c"
    assert incoming.head.fields == [(b"Host", b"up.test:8080"), (b"X-One", b"1"), (b"x-one", b"2")], "RFC 9112 §3.2.2"
    assert incoming.keep_alive
    assert incoming.complete


def test_rfc9112_3_2_2_one_that_looks_like_the_last_does_not_take_its_host_along():
    made = reader()
    for target in (b"http://a.test/", b"http://b.test/", b"http://a.test/"):
        made.feed(b"GET " + target + b" HTTP/1.1\r\nHost: evil.test\r\n\r\n")

    assert [parsed.head.fields for parsed in made.parsed] == [
        [(b"Host", b"a.test")],
        [(b"Host", b"b.test")],
        [(b"Host", b"a.test")],
    ]


def test_fields_that_stand_in_for_the_url_are_nothing_to_answer_at_once():
    incoming = only(b"GET http://up.test/ HTTP/1.1\r\nHost: up.test\r\nX-Forwarded-Host: evil.test\r\n\r\n")

    assert not incoming.immediate


@pytest.mark.parametrize(
    ("target", "url"),
    [
        (b"http://up.test", "http://up.test/"),
        (b"HTTP://up.test?q", "http://up.test/?q"),
        (b"http://up.test/#f", "http://up.test/"),
        (b"https://up.test/x", "https://up.test/x"),
        (b"http://user:pw@up.test/x", "http://up.test/x"),
        (b"http://[::1]:81/x", "http://[::1]:81/x"),
        (b"http://up.test.:80/", "http://up.test/"),
    ],
)
def test_forms_of_absolute_targets(target, url):
    incoming = only(b"GET " + target + b" HTTP/1.1\r\nHost: up.test\r\n\r\n")

    assert isinstance(incoming, Incoming), incoming
    assert incoming.head.url == url


def test_options_asterisk_of_an_origin():
    assert only(b"OPTIONS http://up.test HTTP/1.1\r\nHost: up.test\r\n\r\n").head.target == "*"


def test_origin_form_in_a_tunnel_is_for_the_tunnels_origin():
    incoming = only(b"GET /a HTTP/1.1\r\nHost: up.test\r\n\r\n", tunnel_origin=TUNNEL)

    assert incoming.head.origin == TUNNEL
    assert incoming.host_matches


def test_a_host_field_that_is_not_the_tunnels_origin_is_noticed():
    assert not only(b"GET /a HTTP/1.1\r\nHost: evil.test\r\n\r\n", tunnel_origin=TUNNEL).host_matches


def test_origin_form_outside_a_tunnel_says_that_this_is_a_proxy():
    assert "forward proxy" in str(fault_of(b"GET /a HTTP/1.1\r\nHost: up.test\r\n\r\n"))


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02garbage\r\n\r\n",
        b"GET ftp://up.test/ HTTP/1.1\r\nHost: up.test\r\n\r\n",
        b"GET http:///x HTTP/1.1\r\nHost: up.test\r\n\r\n",
        b"GET http://up.test:99999/x HTTP/1.1\r\nHost: up.test\r\n\r\n",
        b"GET http://[::1/x HTTP/1.1\r\nHost: up.test\r\n\r\n",
        b"GET http://up.test/ HTTP/1.1\r\n\r\n",
        b"GET http://up.test/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST http://up.test/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST http://up.test/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET http://up.test/ HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n",
        b"GET http://up.test/ HTTP/1.1\r\nHost : a\r\n\r\n",
        b"BREW http://up.test/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_bad_request(data):
    assert isinstance(fault_of(data), BadRequest)


def test_an_endless_header_section_is_refused_at_the_limit():
    error = fault_of(b"GET http://up.test/ HTTP/1.1\r\nX: " + b"a" * 2000, header_limit=1000)

    assert isinstance(error, FieldsTooLarge)
    assert "1000 bytes" in str(error)


def test_many_small_pieces_do_not_hide_an_endless_header_section():
    made = reader(header_limit=1000)
    made.feed(b"GET http://up.test/ HTTP/1.1\r\n")
    for _ in range(200):
        made.feed(b"X: aaaaaa\r\n")

    assert isinstance(made.parsed[0], Fault)


def test_a_large_body_does_not_count_as_header_section():
    data = b"POST http://up.test/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n"
    made = reader(header_limit=1000)
    made.feed(data)
    made.feed(b"x" * 5000)
    made.feed(b"GET http://up.test/ HTTP/1.1\r\nHost: a\r\n\r\n")

    assert [type(parsed) for parsed in made.parsed] == [Incoming, Incoming]


def test_a_request_in_single_bytes_is_the_same_request():
    data = b"POST http://up.test/a HTTP/1.1\r\nHost: up.test\r\nContent-Length: 3\r\n\r\nabc"
    made = reader()
    for at in range(len(data)):
        made.feed(data[at : at + 1])

    assert made.parsed[0].head == only(data).head
    assert made.parsed[0].complete


async def test_twenty_pipelined_requests_come_in_order_with_their_bodies():
    data = b"".join(
        b"POST http://up.test/%d HTTP/1.1\r\nHost: up.test\r\nContent-Length: 2\r\n\r\n%02d" % (number, number)
        for number in range(20)
    )
    parsed = parse(data)

    assert [incoming.head.target for incoming in parsed] == [f"/{number}" for number in range(20)]
    assert [await incoming.body.read() for incoming in parsed] == [b"%02d" % number for number in range(20)]


async def test_chunked_bodies_and_their_trailers():
    incoming = only(
        b"PUT http://up.test/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n"
    )

    assert incoming.body.length is None
    assert await incoming.body.read() == b"abc"
    assert await incoming.body.read() == b""
    assert incoming.body.trailers == [(b"X-Sum", b"6")]


def test_connect_is_handed_over_with_all_that_follows():
    made = reader()
    made.feed(b"CONNECT up.test:443 HTTP/1.1\r\nHost: up.test:443\r\n\r\n\x16\x03")
    made.feed(b"\x01")

    (handover,) = made.parsed
    assert isinstance(handover, Handover)
    assert bytes(handover.data) == b"CONNECT up.test:443 HTTP/1.1\r\nHost: up.test:443\r\n\r\n\x16\x03\x01"


def test_a_websocket_is_handed_over():
    data = b"GET http://up.test/ws HTTP/1.1\r\nHost: up.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    assert bytes(only(data).data) == data


def test_an_offer_of_http2_is_not_taken_up():
    data = b"GET http://up.test/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"

    assert [type(parsed) for parsed in parse(data + data)] == [Incoming, Incoming]


def test_the_body_of_an_upgrade_is_never_taken_for_the_next_request():
    smuggled = b"GET http://up.test/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    data = (
        b"POST http://up.test/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n"
        % len(smuggled)
    ) + smuggled

    assert [type(parsed) for parsed in parse(data)] == [Handover]


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"HTTP/1.1\r\nHost: a\r\n", True),
        (b"HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", False),
        (b"HTTP/1.0\r\n", False),
        (b"HTTP/1.0\r\nConnection: keep-alive\r\n", True),
    ],
)
def test_whether_the_connection_is_kept(head, keeps):
    assert only(b"GET http://up.test/ " + head + b"\r\n").keep_alive is keeps


def test_expect_is_heard_from_http_11_only():
    line = b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"

    assert only(b"PUT http://up.test/ HTTP/1.1\r\nHost: a\r\n" + line).expects_continue
    assert not only(b"PUT http://up.test/ HTTP/1.0\r\n" + line).expects_continue


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_no_bytes_make_it_raise(pieces):
    made = reader()
    for piece in pieces:
        made.feed(piece)
    made.eof()


@given(st.binary(max_size=80), st.integers(0, 120))
def test_no_mutation_of_a_request_makes_it_raise(noise, at):
    data = b"POST http://up.test/a HTTP/1.1\r\nHost: up.test\r\nContent-Length: 3\r\n\r\nabcGET http://up.test/ HTTP/1.1\r\n"
    reader().feed(data[:at] + noise + data[at:])


LINES = st.sampled_from(
    [
        b"GET http://up.test/ HTTP/1.1",
        b"GET http://Up.Test:80/a?b=c HTTP/1.1",
        b"HEAD http://other.test/%20 HTTP/1.1",
        b"GET http://up.test HTTP/1.1",
        b"GET http://u:p@up.test/x HTTP/1.1",
        b"GET http://up.test:99999/x HTTP/1.1",
        b"GET http://up.test/a b HTTP/1.1",
        b"GET http://up.test/\xe9 HTTP/1.1",
        b"GET http://up.test/x#f HTTP/1.1",
        b"GET http://up.test/x HTTP/1.0",
        b"POST http://up.test/x HTTP/1.1",
        b"CONNECT up.test:443 HTTP/1.1",
        b"GET /own HTTP/1.1",
        b"GET  http://up.test/x HTTP/1.1",
        b"\r\nGET http://up.test/x HTTP/1.1",
    ]
)
SECTIONS = st.sampled_from(
    [
        b"\r\nHost: up.test\r\n\r\n",
        b"\r\nHost: up.test\r\nAccept: */*\r\nRange: bytes=0-1\r\n\r\n",
        b"\r\nHost: up.test\r\nConnection: close\r\n\r\n",
        b"\r\nHost: up.test\r\nContent-Length: 3\r\n\r\nabc",
        b"\r\nHost: up.test\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
        b"\r\nHost: up.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\r\nHost: up.test\r\nExpect: 100-continue\r\n\r\n",
        b"\r\nHost: up.test\r\nVia: 1.1 x\r\n\r\n",
        b"\r\nHost: up.test\r\nHost: evil.test\r\n\r\n",
        b"\r\n\r\n",
    ]
)


def meaning(parsed):
    if not isinstance(parsed, Incoming):
        return type(parsed)
    body = None if parsed.body is None else (parsed.body.length, parsed.body.ended)
    flags = (parsed.keep_alive, parsed.http_10, parsed.expects_continue, parsed.host_matches)
    return (parsed.head, body, *flags, parsed.immediate, parsed.conditional)


@given(st.lists(st.tuples(LINES, SECTIONS), min_size=1, max_size=6), st.sampled_from([None, TUNNEL]), st.randoms())
def test_a_header_section_that_comes_again_means_what_it_meant_and_hides_nothing(requests, tunnel_origin, dice):
    """Each request alone and fresh, against all of them on one connection, cut wherever it may be cut."""
    together = reader(tunnel_origin)
    expected = []
    for line, section in requests:
        data = line + section
        fresh = parse(data, tunnel_origin=tunnel_origin)
        expected += fresh
        where = dice.choice([len(data), len(data), dice.randrange(len(data))])
        together.feed(data[:where])
        if data[where:]:
            together.feed(data[where:])
        if not isinstance(fresh[-1], Incoming) or not fresh[-1].keep_alive:
            break

    assert list(map(meaning, together.parsed)) == list(map(meaning, expected))


def test_the_fields_of_one_request_are_not_those_of_the_next():
    made = reader()
    for _ in range(3):
        made.feed(b"GET http://up.test/x HTTP/1.1\r\nHost: up.test\r\n\r\n")
    made.parsed[0].head.fields.append((b"X", b"y"))

    assert made.parsed[1].head.fields == made.parsed[2].head.fields == [(b"Host", b"up.test")]


def test_the_limit_on_heads_holds_for_those_that_look_like_the_last():
    made = reader(header_limit=100)
    made.feed(b"GET http://up.test/x HTTP/1.1\r\nHost: up.test\r\n\r\n")
    made.feed(b"GET http://up.test/" + b"x" * 200 + b" HTTP/1.1\r\nHost: up.test\r\n\r\n")

    assert isinstance(made.parsed[-1], Fault)
    assert isinstance(made.parsed[-1].error, FieldsTooLarge)
