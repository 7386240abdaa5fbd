from dataclasses import replace

import pytest

from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.explain.stored import Selector, variant_of
from support.cache_policy import FRESH, NOW, OPTIONS, date, stored
from support.messages import request


def variant(headers, *, asked=None, at=NOW, options=OPTIONS, stored_for=None):
    return variant_of(asked or request(), stored(headers, asked=stored_for), options, at)


def test_rfc9111_4_2_age_and_lifetime_are_told_with_what_they_come_from():
    found = variant(f'{date()}\nAge: 5\n{FRESH}\nETag: "a"', at=NOW + 10)

    assert (found.age_s, found.lifetime.seconds, found.fresh_for_s) == (15, 60, 45)
    assert (found.lifetime.source, found.lifetime.section) == ("max-age", "RFC 9111 §5.2.2.1")
    assert (found.etag, found.last_modified) == ('"a"', None)


def test_rfc9111_4_2_2_a_guess_is_called_one():
    found = variant(f"{date()}\nLast-Modified: {date(-36_000).partition(' ')[2]}")

    assert (found.lifetime.source, found.lifetime.seconds) == ("heuristic", 3600)
    assert "guess" in found.lifetime.text


def test_rfc9213_a_lifetime_names_the_targeted_field_that_it_comes_from():
    options = CacheOptions(targeted=(b"cdn-cache-control",))

    assert variant(f"{FRESH}\nCDN-Cache-Control: max-age=9", options=options).lifetime.field == "cdn-cache-control"
    assert variant(FRESH, options=options).lifetime.field == "cache-control"


def test_rfc9111_4_1_each_field_of_vary_is_shown_with_both_values():
    found = variant(
        f"{FRESH}\nVary: Foo, Bar",
        stored_for=request(headers="Foo: 1\nBar: 2"),
        asked=request(headers="Foo: 1"),
    )

    assert found.vary == [Selector("foo", "1", "1", matches=True), Selector("bar", "2", None, matches=False)]
    assert not found.selected


def test_a_secret_that_selects_a_variant_is_not_shown():
    found = variant(f"{FRESH}\nVary: Cookie", stored_for=request(headers="Cookie: session=hunter2"))

    assert "hunter2" not in repr(found)
    assert not found.selected


@pytest.mark.parametrize(
    ("directives", "asks", "never_stale"),
    [("max-age=60", False, False), ("max-age=60, must-revalidate", False, True), ("no-cache", True, True)],
)
def test_what_the_origin_wants_of_a_stale_response_is_told(directives, asks, never_stale):
    found = variant(f'Cache-Control: {directives}\nETag: "a"')

    assert (found.asks_each_time, found.never_stale) == (asks, never_stale)


def test_a_lifetime_that_a_rule_sets_is_said_to_be_one():
    found = variant(FRESH, options=replace(OPTIONS, rule=Overrides(ttl_s=3600)))

    assert (found.lifetime.source, found.lifetime.section, found.lifetime.seconds) == ("rule", "cache.rules", 3600)
