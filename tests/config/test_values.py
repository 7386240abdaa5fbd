import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.config import values
from sluicegate.config.leaf import Unacceptable
from sluicegate.config.values import Address, host_pattern, parse_address


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:3128", "127.0.0.1", 3128, True),
        ("[::1]:0", "::1", 0, True),
        ("localhost:80", "localhost", 80, True),
        ("127.8.8.8:1", "127.8.8.8", 1, True),
        ("0.0.0.0:3128", "0.0.0.0", 3128, False),
        ("[::]:3128", "::", 3128, False),
        ("Proxy.Internal:3128", "proxy.internal", 3128, False),
        ("[0:0::1]:5", "::1", 5, True),
    ],
)
def test_an_address_is_read(text, host, port, loopback):
    address = parse_address(text)

    assert address == Address(host, port)
    assert address.is_loopback is loopback
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "value",
    [
        "",
        "3128",
        3128,
        ":3128",
        "::1:3128",
        "[::1]",
        "a:b",
        "h:65536",
        "h:-1",
        "a b:1",
        "[x]:1",
        "1.2.3:4",
        "h:٣",
        None,
    ],
)
def test_what_is_no_address_is_unacceptable(value):
    with pytest.raises(Unacceptable):
        parse_address(value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("API.Example.com.", "api.example.com"),
        ("*.Example.org", "*.example.org"),
        ("[::1]", "::1"),
        ("2001:DB8::0", "2001:db8::"),
        ("10.0.0.1", "10.0.0.1"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("my_host", "my_host"),
    ],
)
def test_a_host_pattern_becomes_what_requests_carry(text, name):
    assert host_pattern(text) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("*", "limits.default"),
        ("api.*.com", "only wildcard"),
        ("*example.org", "only wildcard"),
        ("*.*.org", "only wildcard"),
        ("https://example.org", "URL"),
        ("10.0.0.0/8", "network"),
        ("example.org:80", "port"),
        ("[::1]:80", "port"),
        ("*.10.0.0.1", "no subdomains"),
        ("*.::1", "no subdomains"),
        ("*.com.1", "neither"),
        ("a..b", "host name"),
        ("-a.example", "host name"),
        ("a b", "host name"),
        ("x" * 64 + ".example", "host name"),
        (5, "text"),
    ],
)
def test_a_pattern_that_can_never_match_is_unacceptable_and_told_why(text, message):
    with pytest.raises(Unacceptable, match=message):
        host_pattern(text)


@given(st.text())
def test_no_text_makes_a_reader_fail_in_another_way(text):
    for read in (
        host_pattern,
        parse_address,
        values.network,
        values.parent_proxy,
        values.redis_url,
        values.field_name,
        values.bearer_token,
    ):
        with contextlib.suppress(Unacceptable):
            read(text)


@given(st.text(alphabet="ab.*-[]:1"))
def test_a_canonical_pattern_stays_as_it_is(text):
    try:
        pattern = host_pattern(text)
    except Unacceptable:
        return
    assert host_pattern(pattern) == pattern


def test_tunnelling_everything_is_said_with_the_mode():
    with pytest.raises(Unacceptable, match=r"https\.mode: tunnel"):
        values.tunnel_pattern("*")


@pytest.mark.parametrize("text", ["10.0.0.0/8", "10.1.2.3", "10.1.2.3/8", "2001:db8::/32"])
def test_a_network_is_read_whatever_its_host_bits(text):
    assert values.network(text)


@pytest.mark.parametrize(
    "url", ["proxy:3128", "https://proxy:3128", "http://proxy", "http://proxy:x", "http://p:1/path", "http://[::1"]
)
def test_what_is_no_parent_proxy_is_unacceptable(url):
    with pytest.raises(Unacceptable):
        values.parent_proxy(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis",
        "http://h:1",
        "redis://",
        "redis://h:x",
        "redis://h:0",
        "redis://:a/b@h",
        "redis://:a#b@h",
        "redis://h?password=secret",
        "unix://h/path?username=bob",
        "redis://[::1",
    ],
)
def test_what_is_no_redis_is_unacceptable(url):
    with pytest.raises(Unacceptable):
        values.redis_url(url)


@pytest.mark.parametrize(
    "url",
    ["redis://h", "redis://:pw@h:6379/1", "rediss://bob:pw@h:1/0?ssl_ca_certs=/ca.pem", "unix:///run/redis.sock?db=2"],
)
def test_a_redis_is_told_by_its_url(url):
    assert values.redis_url(url) == url


def test_a_parent_proxy_may_have_a_user():
    assert values.parent_proxy("http://bob:pw@proxy:3128") == "http://bob:pw@proxy:3128"


def test_http2_is_not_available_yet():
    assert values.unavailable_switch(False) is False
    with pytest.raises(Unacceptable, match="not available yet"):
        values.unavailable_switch(True)


@pytest.mark.parametrize(
    ("written", "pattern"),
    [
        ("/a/*", "/a/*"),
        ("*.css", "*.css"),
        ("/%7ea/%c3%a9", "/~a/%C3%A9"),
        ("/\xe9 x", "/%C3%A9%20x"),
        ("/a/../b", "/b"),
    ],
)
def test_a_path_pattern_is_spelled_as_keys_are(written, pattern):
    assert values.path_pattern(written) == pattern


@pytest.mark.parametrize("written", ["a", "", "/a?b", "/a#b", "http://h/a", 3, None])
def test_a_path_that_can_never_match_is_unacceptable(written):
    with pytest.raises(Unacceptable):
        values.path_pattern(written)


def test_a_rule_for_every_host_names_none():
    assert values.rule_host("*.A.example") == "*.a.example"
    with pytest.raises(Unacceptable, match="leave hosts out"):
        values.rule_host("*")


@pytest.mark.parametrize(
    ("written", "names"),
    [("all", ("*",)), (["*", "a"], ("*",)), ("utm_*", ("utm_*",)), (["a", "all"], ("a", "all")), ([], ())],
)
def test_query_names_are_a_list_or_all(written, names):
    assert values.query_names(written) == names
    assert values.query_names(values.show_query_names(names)) == names


@pytest.mark.parametrize("written", [[1], [""], {"a": 1}, 3, "a=b", ["a&b"]])
def test_what_is_no_name_of_a_parameter_is_unacceptable(written):
    with pytest.raises(Unacceptable):
        values.query_names(written)


@pytest.mark.parametrize("token", ["0123456789abcdef", "A-z.0_9~+/0123456==", "f" * 64])
def test_a_token_is_what_can_stand_in_an_authorization(token):
    assert values.bearer_token(token) == token


@pytest.mark.parametrize(
    "token", ["short", "", 1234567890123456, None, "with spaces 0123456789", "ümläut-0123456789ab", "a,b,c,d,e,f,g,h,i"]
)
def test_other_tokens_are_not_taken(token):
    with pytest.raises(Unacceptable):
        values.bearer_token(token)
