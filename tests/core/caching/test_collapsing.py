import pytest

from sluicegate.core.caching.collapsing import flight_name, is_shareable
from sluicegate.core.caching.decisions import CacheOptions, Forward, Reason, Revalidate
from sluicegate.core.caching.entry import StoredEntry
from support.messages import request, response

OPTIONS = CacheOptions()
KEY = "http://example.com/a"


def name(headers="", *, reason=Reason.URI_MISS, method="GET", variants=(), options=OPTIONS):
    asked = request(headers=headers, method=method)
    return flight_name(KEY, asked, Forward(asked, reason), variants, options)


def entry(headers, asked=""):
    return StoredEntry("1", request(headers=asked), response(headers), 1000, 1000)


def test_requests_that_differ_only_in_what_no_cache_looks_at_share():
    assert name("User-Agent: a\nAccept: */*") == name("User-Agent: b") == KEY


@pytest.mark.parametrize(
    "headers",
    [
        "Range: bytes=0-1",
        "If-None-Match: *",
        "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
        "Cache-Control: no-cache",
        "cache-control: foo, no-store",
        "Cache-Control: max-age=0",
        "Pragma: no-cache",
    ],
)
def test_a_request_with_wishes_of_its_own_neither_waits_nor_is_waited_for(headers):
    assert name(headers) is None


def test_wishes_that_any_new_response_fulfils_do_no_harm():
    assert name("Cache-Control: max-age=60, min-fresh=5") == KEY


@pytest.mark.parametrize("reason", list(Reason))
def test_only_what_is_not_stored_or_too_old_is_shared(reason):
    shared = reason in (Reason.URI_MISS, Reason.VARY_MISS, Reason.STALE)

    assert (name(reason=reason) is not None) == shared


def test_only_get_is_shared():
    assert name(method="HEAD") is None


def test_the_clients_conditions_do_not_count_where_ours_take_their_place():
    asked = request(headers='If-None-Match: "mine"')
    plan = Revalidate(request(headers='If-None-Match: "ours"'), asked, [], Reason.STALE)

    assert flight_name(KEY, asked, plan, [], OPTIONS) == KEY


def test_rfc9111_3_5_authorized_requests_keep_to_themselves_in_a_shared_cache():
    private = CacheOptions(shared=False)

    assert name("Authorization: Basic x") not in (None, name())
    assert name("Authorization: Basic x") == name("Authorization: Basic y")
    assert name("Authorization: Basic x", options=private) == name(options=private)


def test_rfc9111_4_1_what_is_known_to_be_selected_by_a_field_is_shared_by_those_with_the_same():
    variants = [entry("Vary: Accept-Language", "Accept-Language: de")]

    english = name("Accept-Language: en", variants=variants)
    assert english == name("accept-language: EN", variants=variants)
    assert english != name("Accept-Language: fr", variants=variants)
    assert english != name("Accept-Language: en")


@pytest.mark.parametrize(
    ("headers", "shareable"),
    [
        ("Cache-Control: max-age=10", True),
        ("Cache-Control: max-age=0", False),
        ("Cache-Control: max-age=10, no-cache", False),
        ("Cache-Control: max-age=10\nAge: 10", False),
    ],
)
def test_others_may_use_what_is_fresh_and_need_not_be_asked_about(headers, shareable):
    assert is_shareable(entry(headers), OPTIONS, 1000) is shareable
