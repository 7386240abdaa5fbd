import pytest

from sluicegate.core.http import (
    Origin,
    RequestHead,
    ResponseHead,
    connection_options,
    end_to_end,
    get,
    get_all,
    without,
)


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (Origin("http", "up.test", 80), "http://up.test"),
        (Origin("https", "up.test", 443), "https://up.test"),
        (Origin("https", "up.test", 80), "https://up.test:80"),
        (Origin("http", "::1", 8080), "http://[::1]:8080"),
    ],
)
def test_an_origin_is_written_without_its_default_port(origin, text):
    assert str(origin) == text


def test_a_url_is_origin_and_target():
    assert RequestHead("GET", Origin("http", "up.test", 80), "/a?b").url == "http://up.test/a?b"


def test_lines_of_a_field_are_one_list():
    fields = [(b"Accept", b"a"), (b"X", b"1"), (b"ACCEPT", b"b")]

    assert get_all(fields, b"accept") == [b"a", b"b"]
    assert get(fields, b"accept") == b"a, b"
    assert get(fields, b"missing") is None
    assert without(fields, [b"accept"]) == [(b"X", b"1")]


def test_rfc9110_7_6_1_what_connection_lists_goes_no_further():
    fields = [
        (b"Connection", b"X-One , close"),
        (b"Proxy-Connection", b"X-Two"),
        (b"X-ONE", b"1"),
        (b"X-Two", b"2"),
        (b"Keep-Alive", b"5"),
        (b"Upgrade", b"h2c"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Trailer", b"X-Sum"),
        (b"Host", b"up.test"),
    ]

    assert connection_options(fields) == {b"x-one", b"close", b"x-two"}
    assert end_to_end(fields) == [(b"Trailer", b"X-Sum"), (b"Host", b"up.test")]


def test_a_response_answers_for_its_fields_whatever_their_case():
    head = ResponseHead(200, b"OK", [(b"Vary", b"a"), (b"X", b"1"), (b"VARY", b"b")])

    assert head.get_all(b"vary") == [b"a", b"b"]
    assert head.get(b"vary") == b"a, b"
    assert head.get(b"missing") is None
    assert head.anew() == head


def test_rfc9110_7_6_1_what_is_passed_on_of_a_response_and_what_it_then_answers():
    fields = [(b"Connection", b"Cache-Control, close"), (b"Cache-Control", b"no-store"), (b"Via", b"a"), (b"X", b"1")]
    head = ResponseHead(200, b"OK", fields)
    passed_on = head.end_to_end(frozenset({b"x"}), [(b"via", b"b")])

    assert passed_on.fields == [(b"Via", b"a"), (b"via", b"b")]
    assert passed_on.get_all(b"via") == [b"a", b"b"]
    assert [passed_on.get(name) for name in (b"connection", b"cache-control", b"x")] == [None, None, None]
    assert head.get_all(b"via") == [b"a"]
    assert passed_on.end_to_end() == passed_on
