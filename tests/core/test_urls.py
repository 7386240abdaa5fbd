import pytest

from sluicegate.core.caching.keys import cache_key
from sluicegate.core.http import Origin
from sluicegate.core.urls import parse_url, request_for
from sluicegate.errors import NotAUrl


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("http://example.org", Origin("http", "example.org", 80), "/"),
        ("HTTPS://Example.ORG./a/../b?x=1&y=%2F#top", Origin("https", "example.org", 443), "/a/../b?x=1&y=%2F"),
        ("http://example.org:8080/?", Origin("http", "example.org", 8080), "/?"),
        ("http://[::1]:81/a", Origin("http", "::1", 81), "/a"),
        (" http://example.org/a \n", Origin("http", "example.org", 80), "/a"),
        ("http://user:secret@example.org/", Origin("http", "example.org", 80), "/"),
    ],
)
def test_a_url_is_taken_apart(url, origin, target):
    assert parse_url(url) == (origin, target)


def test_what_is_beyond_ascii_is_encoded_as_browsers_do():
    assert parse_url("http://bücher.example/ä b".replace(" b", "b")) == (
        Origin("http", "xn--bcher-kva.example", 80),
        "/%C3%A4b",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.org",
        "/a",
        "ftp://example.org/",
        "http://",
        "http:///a",
        "http://h:x/",
        "http://a b/",
        "http://a/b c",
        "http://a/\udcff",
        "http://a/?\ud800",
    ],
)
def test_what_is_no_url_is_refused(text):
    with pytest.raises(NotAUrl):
        parse_url(text)


def test_a_request_has_what_plain_clients_send_unless_it_is_given():
    request = request_for("http://example.org/a", [(b"accept", b"text/html"), (b"X", b"1")])

    assert request.fields == [
        (b"Host", b"example.org"),
        (b"User-Agent", b"sluicegate"),
        (b"accept", b"text/html"),
        (b"X", b"1"),
    ]
    assert cache_key(request) == "http://example.org/a"
