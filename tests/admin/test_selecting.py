import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.admin.selecting import BadSelection, listing_of, purge_of
from sluicegate.upkeep.selection import Selection


def purged(**document):
    return purge_of(json.dumps(document).encode())


def test_every_condition_can_be_given():
    assert purged(url="http://a.example/x") == Selection(url="http://a.example/x")
    assert purged(prefix="https://a.example/x/", tag="t") == Selection(prefix="https://a.example/x/", tag="t")
    assert purged(host="*.A.example", older_than="7d", newer_than=3600) == Selection(
        host="*.a.example", older_than_s=604800.0, newer_than_s=3600.0
    )


def test_everything_has_to_be_asked_for_by_name():
    assert purged(all=True) == Selection()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"{", "no JSON object"),
        (b"[" * 100_000, "no JSON object"),
        (b"{}", "No condition"),
        (b'{"all": false}', "No condition"),
        (b'{"all": 1}', "all is neither"),
        (b'{"all": true, "host": "a.example"}', "all goes with no condition"),
        (b'{"prefx": "http://a.example/"}', "There is no 'prefx' here, but url, prefix, host, tag"),
        (b'{"host": ""}', "host must not be empty"),
        (b'{"host": null}', "host must be text"),
        (b'{"host": "http://a.example/"}', "host is a URL"),
        (b'{"url": "a.example/x"}', "url: "),
        (b'{"prefix": "ftp://a.example/"}', "prefix: "),
        (b'{"older_than": "long"}', "older_than is not a duration"),
        (b'{"older_than": -1}', "older_than must not be negative"),
        (b'{"tag": ["a"]}', "tag must be text"),
        (b'{"tag": "\\ud800"}', "tag is no Unicode text"),
        (b'{"url": "http://a.example/\\ud800"}', "url: "),
    ],
)
def test_what_cannot_be_meant_removes_nothing_and_says_why(body, message):
    with pytest.raises(BadSelection, match=message):
        purge_of(body)


def test_a_query_selects_what_is_listed():
    assert listing_of({}) == (Selection(), None)
    assert listing_of({"host": [b"a.example"], "limit": [b"10"]}) == (Selection(host="a.example"), 10)
    assert listing_of({"older_than": [b"1h"]}) == (Selection(older_than_s=3600.0), None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": [b"0"]}, "limit"),
        ({"limit": ["٣".encode()]}, "limit"),
        ({"limit": [b"-1"]}, "limit"),
        ({"limit": [b"9" * 5000]}, "limit"),
        ({"host": [b"a.example", b"b.example"]}, "host stands there twice"),
        ({"hosts": [b"a.example"]}, "There is no 'hosts' here"),
        ({"all": [b"true"]}, "There is no 'all' here"),
    ],
)
def test_a_query_that_cannot_be_meant_says_why(arguments, message):
    with pytest.raises(BadSelection, match=message):
        listing_of(arguments)


@given(
    st.dictionaries(st.sampled_from(["url", "prefix", "host", "tag", "older_than", "all"]), st.text() | st.integers())
)
def test_no_document_fails_in_another_way(document):
    with contextlib.suppress(BadSelection):
        purge_of(json.dumps(document).encode())
