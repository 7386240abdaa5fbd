import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.caching.keys import cache_key
from sluicegate.core.http import Origin, RequestHead
from support.messages import request


@pytest.mark.parametrize(
    "other",
    [
        "http://example.com:80/a/b?x=1&y=%7e",
        "http://example.com/a/./b?x=1&y=%7e",
        "http://example.com/a/c/../b?x=1&y=%7e",
        "http://example.com/%61/b?x=1&y=%7e",
    ],
)
def test_rfc3986_6_2_2_spellings_of_one_url_share_a_key(other):
    assert cache_key(request(other)) == "http://example.com/a/b?x=1&y=%7e"


def test_the_case_of_a_percent_encoding_makes_no_difference():
    assert cache_key(request("http://example.com/%c3%a9")) == cache_key(request("http://example.com/%C3%A9"))


@pytest.mark.parametrize(
    "other",
    [
        "https://example.com/a?x=1&y=2",
        "http://example.com:8080/a?x=1&y=2",
        "http://example.com/A?x=1&y=2",
        "http://example.com/a?y=2&x=1",
        "http://example.com/a/?x=1&y=2",
        "http://example.com/a?x=1&y=2&",
        "http://example.com/b/../../a%2Fb?x=1&y=2",
    ],
)
def test_urls_that_may_be_different_resources_have_different_keys(other):
    assert cache_key(request(other)) != cache_key(request("http://example.com/a?x=1&y=2"))


def test_the_query_is_not_touched():
    assert cache_key(request("http://example.com/a?b=/../c&%7E")).endswith("?b=/../c&%7E")


def test_an_encoded_slash_is_not_a_slash():
    assert cache_key(request("http://example.com/a%2fb")) == "http://example.com/a%2Fb"


def test_get_and_head_share_a_key():
    assert cache_key(request(method="HEAD")) == cache_key(request(method="GET"))


@pytest.mark.parametrize(("path", "resolved"), [("/..", "/"), ("/a/.", "/a/"), ("/a/..", "/"), ("/../../a", "/a")])
def test_dot_segments_at_the_edges(path, resolved):
    assert cache_key(request(f"http://example.com{path}")) == f"http://example.com{resolved}"


@given(st.text(alphabet="/.%2eEaA?~", max_size=30))
def test_a_key_is_stable_under_normalising_it_again(path):
    origin = Origin("http", "example.com", 80)
    key = cache_key(RequestHead("GET", origin, f"/{path}"))
    again = cache_key(RequestHead("GET", origin, key.removeprefix("http://example.com")))

    assert again == key or "%" in key
