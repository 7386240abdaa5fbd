"""Clients that send what they should not: each is told what was wrong, and the proxy lives on."""

import array
import fcntl
import json
import socket
import termios

import pytest
import trustme

from support.origin import SeenRequest, ThreadedOrigin, answer, hang, response
from support.proxy import read_all, running_proxy, wait_until


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, authority):
    directory = tmp_path_factory.mktemp("bad-clients")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    with running_proxy(directory, https={"upstream_ca": str(directory / "ca.pem")}) as running:
        yield running


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A proxy that takes heads of 1 KiB."""
    with running_proxy(tmp_path_factory.mktemp("small"), header_limit="1KiB") as running:
        yield running


@pytest.fixture(scope="module")
def origin():
    def reply(seen: SeenRequest) -> bytes:
        return response(body=b"" if seen.method == "HEAD" else f"{seen.method} {seen.target}".encode())

    with ThreadedOrigin(answer(reply)) as running:
        yield running


@pytest.fixture
def proxy(shared, origin):
    """The proxy, which must answer an ordinary request after each test, with nothing left under way."""
    yield shared
    reply = shared.get(f"{origin.url}/afterwards")
    assert (reply.status, reply.body) == (200, b"GET /afterwards")
    wait_until(lambda: shared.status()["limits"] == [], "the end of all that was under way")


def request(origin, path, *lines, method="GET", version="HTTP/1.1"):
    """A request in absolute form."""
    host = f"127.0.0.1:{origin.port}"
    return "\r\n".join([f"{method} http://{host}{path} {version}", f"Host: {host}", *lines, "", ""]).encode("latin-1")


def responses(answers):
    """Status and body of each of several responses, which have a Content-Length."""
    found = []
    while answers:
        head, _, rest = answers.partition(b"\r\n\r\n")
        fields = (line.split(b":", 1) for line in head.split(b"\r\n")[1:])
        length = next(int(value) for name, value in fields if name.lower() == b"content-length")
        found.append((status(head), rest[:length]))
        answers = rest[length:]
    return found


def status(answer):
    """The status of a response."""
    return int(answer.removeprefix(b"HTTP/1.1 ")[:3])


def assert_refused(answers, expected):
    head, _, body = answers.partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert status(head) == problem["status"] == expected
    assert problem["detail"]
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()


MALFORMED = {
    "garbage": bytes(range(128, 256)) + b"\x00\r\n\r\n",
    "text": b"hello, is this a proxy?\r\n\r\n",
    "two-lengths": b"POST http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    "length-and-coding": b"POST http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding-and-length": b"POST http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "negative-length": b"POST http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
    "space-before-colon": b"GET http://127.0.0.1/ HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
    "folded-field": b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b\r\n c\r\n\r\n",
    "no-host": b"GET http://127.0.0.1/ HTTP/1.1\r\n\r\n",
    "two-hosts": b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: localhost\r\n\r\n",
    "unknown-method": b"FROBNICATE http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "unknown-version": b"GET http://127.0.0.1/ HTTP/7.3\r\nHost: 127.0.0.1\r\n\r\n",
    "ftp": b"GET ftp://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "bad-port": b"GET http://127.0.0.1:99999/ HTTP/1.1\r\nHost: 127.0.0.1:99999\r\n\r\n",
    "connect-with-userinfo": b"CONNECT user:password@127.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1:443\r\n\r\n",
    "connect-without-port": b"CONNECT 127.0.0.1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "connect-with-url": b"CONNECT http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "origin-form": b"GET /index.html HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_bytes_that_are_no_acceptable_request_are_answered_400(proxy, origin, name):
    seen = len(origin.log)

    assert_refused(proxy.exchange(MALFORMED[name]), 400)

    assert len(origin.log) == seen


def test_bytes_that_claim_to_be_tls_and_are_not_end_with_the_client(proxy):
    with proxy.raw(b"\x16\x03\x01 this is no TLS record") as connection:
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)


def test_a_header_of_1_mib_is_answered_431_with_the_key_to_raise(proxy, origin):
    answers = proxy.exchange(request(origin, "/large", "X-Large: " + "a" * 2**20))

    assert_refused(answers, 431)
    assert b"header_limit" in answers


def test_a_request_line_of_1_mib_is_answered_431(proxy, origin):
    assert_refused(proxy.exchange(request(origin, "/" + "a" * 2**20)), 431)


def test_headers_without_an_end_are_answered_431(proxy, origin):
    endless = request(origin, "/endless")[:-2] + b"X-Small: a\r\n" * 10_000

    assert_refused(proxy.exchange(endless), 431)


def test_a_header_a_little_over_the_limit_is_answered_431(proxy, origin):
    assert_refused(proxy.exchange(request(origin, "/over", "X-Large: " + "a" * 65_536)), 431)


def test_the_limit_holds_for_heads_that_come_at_once_and_behind_others(small, origin):
    over = request(origin, "/over", "X-Large: " + "a" * 2000)

    assert_refused(small.exchange(over), 431)
    assert [told for told, _ in responses(small.exchange(request(origin, "/under") + over))] == [200, 431]


def test_trailers_without_an_end_are_cut_off(small):
    with ThreadedOrigin(hang) as origin:
        head = request(origin, "/trailers", "Transfer-Encoding: chunked", method="POST")
        with small.raw(head + b"1\r\na\r\n0\r\n" + b"X-Trailer: a\r\n" * 1000) as connection:
            read_all(connection)
        origin.until(lambda origin: origin.open == 0)

        assert origin.accepted == 1


def test_a_request_line_in_ten_pieces_is_one_request(proxy, origin):
    whole = request(origin, "/pieces", "Connection: close")
    step = -(-whole.index(b"\r\n") // 10)
    with proxy.raw() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, step * 10, step):
            connection.sendall(whole[start : start + step])
            unsent(connection)
        connection.sendall(whole[step * 10 :])
        answers = read_all(connection)

    assert status(answers) == 200
    assert answers.endswith(b"GET /pieces")


def unsent(connection):
    """Return once the peer's kernel has everything, so that the next piece is a packet of its own."""
    left = array.array("i", [1])

    def all_out():
        fcntl.ioctl(connection, termios.TIOCOUTQ, left)
        return left[0] == 0

    wait_until(all_out, "the piece to arrive")


def test_twenty_pipelined_requests_are_answered_in_their_order(proxy, origin):
    requests = [request(origin, f"/{number}") for number in range(19)]
    answers = proxy.exchange(b"".join([*requests, request(origin, "/19", "Connection: close")]))

    assert responses(answers) == [(200, f"GET /{number}".encode()) for number in range(20)]


def test_what_is_wrong_after_pipelined_requests_does_not_spoil_their_answers(proxy, origin):
    answers = proxy.exchange(request(origin, "/good") + b"nonsense\r\n\r\n" + request(origin, "/never"))

    assert [told for told, _ in responses(answers)] == [200, 400]
    assert not any(seen.target == "/never" for seen in origin.log)


def test_http_10_is_answered_and_the_connection_closed(proxy, origin):
    answers = proxy.exchange(request(origin, "/old", version="HTTP/1.0"))

    assert status(answers) == 200
    assert answers.endswith(b"GET /old")
    assert b"Transfer-Encoding" not in answers


def test_head_is_answered_without_a_body(proxy, origin):
    answers = proxy.exchange(request(origin, "/head", "Connection: close", method="HEAD"))

    assert status(answers) == 200
    assert answers.endswith(b"\r\n\r\n")
    assert origin.log[-1].method == "HEAD"


def test_trace_with_no_forwards_left_repeats_no_secret(proxy, origin):
    answers = proxy.exchange(
        request(origin, "/trace", "Max-Forwards: 0", "Cookie: hidden=1", "Connection: close", method="TRACE")
    )

    assert status(answers) == 200
    assert b"hidden" not in answers
    assert not any(seen.target == "/trace" for seen in origin.log)


def test_trace_is_forwarded_with_one_forward_less(proxy, origin):
    answers = proxy.exchange(request(origin, "/traced", "Max-Forwards: 3", "Connection: close", method="TRACE"))

    assert status(answers) == 200
    assert origin.log[-1].get("max-forwards") == "2"


def test_a_plain_request_for_an_https_url_is_fetched_over_tls(proxy, authority):
    with ThreadedOrigin(answer(response(body=b"over TLS")), tls=authority.issue_cert("127.0.0.1")) as secure:
        reply = proxy.get(f"{secure.url}/")

    assert (reply.status, reply.body) == (200, b"over TLS")


def test_half_a_request_and_a_close_disturb_nobody(proxy, origin):
    seen = len(origin.log)
    with proxy.raw(request(origin, "/half")[:-10]) as connection:
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)

    assert len(origin.log) == seen


@pytest.mark.parametrize("broken", [True, False], ids=["malformed", "well-formed"])
def test_a_request_and_a_close_in_one_go_leave_nothing_behind(proxy, origin, broken):
    whole = request(origin, "/and-close")
    for _ in range(20):
        with proxy.raw() as connection:
            connection.sendall(whole.replace(b"Host:", b"Host :") if broken else whole)
            connection.shutdown(socket.SHUT_WR)
            read_all(connection)


def test_an_upload_that_stops_half_way_ends_as_client_gone(proxy, origin):
    with proxy.raw(request(origin, "/half-upload", "Content-Length: 1000", method="POST") + b"only this"):
        wait_until(lambda: any(seen.target == "/half-upload" for seen in origin.log), "the upload at the origin")

    line = proxy.await_log(event="access", url=f"{origin.url}/half-upload")
    assert line["error"] == "client_gone"


def test_a_client_that_never_ends_its_request_delays_nobody(proxy, origin):
    whole = request(origin, "/slow", "Connection: close")
    with proxy.raw(whole[:20]) as slow:
        assert proxy.get(f"{origin.url}/quick").status == 200
        slow.sendall(whole[20:])
        assert status(read_all(slow)) == 200
