"""Targeted fields through the whole policy (RFC 9213)."""

from sluicegate.core.caching.decisions import CacheOptions, Forward, Freshened, Hit, PassOn, Reason, Revalidate, Store
from sluicegate.core.caching.policy import look_up
from support.cache_policy import NOW, date, judged
from support.messages import request, response

OPTIONS = CacheOptions(targeted=(b"cdn-cache-control",))


def outcome(headers: str) -> Store | PassOn:
    decided = judged(look_up(request(), [], OPTIONS, NOW), response(headers), options=OPTIONS)
    assert isinstance(decided, Store | PassOn)
    return decided


def test_what_cache_control_forbids_and_the_targeted_field_allows_is_stored_for_as_long_as_that_says():
    decided = outcome(f"{date()}\nCache-Control: no-store\nExpires: {date(-60)[6:]}\nCDN-Cache-Control: max-age=60")

    assert isinstance(decided, Store)
    assert isinstance(look_up(request(), [decided.entry], OPTIONS, NOW + 59), Hit)
    assert isinstance(look_up(request(), [decided.entry], OPTIONS, NOW + 60), Forward)


def test_what_the_targeted_field_forbids_is_not_stored_whatever_cache_control_allows():
    decided = outcome("Cache-Control: max-age=60\nCDN-Cache-Control: no-store")

    assert (type(decided), decided.reason) == (PassOn, Reason.NO_STORE)


def test_expires_does_not_count_beside_a_targeted_field():
    decided = outcome(f"{date()}\nExpires: {date(60)[6:]}\nCDN-Cache-Control: must-revalidate")

    assert (type(decided), decided.reason) == (PassOn, Reason.NO_USE)


def test_the_targeted_field_is_passed_on_and_stored():
    decided = outcome("CDN-Cache-Control: max-age=60")

    assert isinstance(decided, Store)
    assert (b"CDN-Cache-Control", b"max-age=60") in decided.head.fields
    assert (b"CDN-Cache-Control", b"max-age=60") in decided.entry.response.fields


def test_a_targeted_no_cache_is_asked_about_and_a_304_renews_the_targeted_field():
    first = outcome(f'{date()}\nETag: "a"\nCDN-Cache-Control: no-cache\nCache-Control: max-age=60')
    assert isinstance(first, Store)
    plan = look_up(request(), [first.entry], OPTIONS, NOW + 1)
    assert isinstance(plan, Revalidate)
    assert plan.reason is Reason.RESPONSE_NO_CACHE

    renewed = judged(
        plan, response(f'{date()}\nETag: "a"\nCDN-Cache-Control: max-age=90', status=304), at=NOW + 1, options=OPTIONS
    )

    assert isinstance(renewed, Freshened)
    assert renewed.ttl_s == 89
