from dataclasses import replace

import pytest

from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.directives import cache_control
from sluicegate.core.caching.rules.overrides import Overrides, personal, strayed, was_personal
from sluicegate.core.caching.rules.queries import QueryRule
from sluicegate.core.caching.storing import kept_request
from support.messages import request, response


def heeded(overrides, value):
    return list(overrides.heeded(cache_control([(b"Cache-Control", value.encode())])).values)


@pytest.mark.parametrize(
    ("overrides", "said", "kept"),
    [
        (Overrides(), "no-cache, max-age=0", ["no-cache", "max-age"]),
        (Overrides(ignore_client_no_cache=True), "no-cache, max-age=0", ["max-age"]),
        (Overrides(immutable=True), "no-cache, max-age=0", []),
        (Overrides(immutable=True), "max-age=5, only-if-cached, no-store", ["only-if-cached", "no-store"]),
        (Overrides(immutable=True), "max-age=5, max-stale=9", []),
        (Overrides(immutable=True), "max-stale=9, min-fresh=3", ["max-stale", "min-fresh"]),
        (Overrides(ignore_client_no_cache=True), "max-age=5, max-stale=9", ["max-age", "max-stale"]),
    ],
)
def test_what_of_a_clients_directives_is_heeded(overrides, said, kept):
    assert heeded(overrides, said) == kept


def test_errors_are_not_prolonged():
    overrides = Overrides(ttl_s=60.0)

    assert [status for status in (200, 301, 302, 399, 400, 404, 500) if overrides.prolongs(status)] == [
        200,
        301,
        302,
        399,
    ]
    assert not Overrides(force=True).prolongs(200)


PERSONAL = [
    ("", "", False),
    ("Cookie: a=1", "", True),
    ("Authorization: Basic x", "", True),
    ("", "Set-Cookie: a=1", True),
    ("Cookie: a=1", "Vary: Accept, cookie", False),
    ("Cookie: a=1\nAuthorization: Basic x", "Vary: Cookie", True),
    ("Cookie: a=1", "Vary: Cookie\nSet-Cookie: b=2", True),
    ("Accept: x", "Vary: Accept", False),
]


@pytest.mark.parametrize(("asked", "said", "expected"), PERSONAL)
def test_what_may_be_one_persons_own(asked, said, expected):
    assert personal(request(headers=asked), response(said)) is expected


def entry_of(asked, said, rule=None):
    kept = kept_request(asked, response(said), CacheOptions(rule=rule))
    return StoredEntry("1", kept, response(said), 0.0, 0.0)


@pytest.mark.parametrize(("asked", "said", "expected"), PERSONAL)
def test_that_is_known_of_what_is_stored_without_its_secrets(asked, said, expected):
    entry = entry_of(request(headers=asked), said)

    assert was_personal(entry) is expected
    assert not any(b"a=1" in value or b"Basic" in value for _, value in entry.request.fields)


def test_a_vary_that_names_cookies_no_longer_makes_what_came_with_them_personal():
    entry = entry_of(request(headers="Cookie: a=1"), "Vary: Cookie")

    assert not was_personal(entry)
    assert was_personal(replace(entry, response=response("")))


def test_an_entry_whose_key_a_rule_made_matches_nothing_once_the_rule_is_gone():
    ignoring, other = Overrides(query=QueryRule(("u", "v"))), Overrides(query=QueryRule(("w",)))
    merged = entry_of(request("http://example.com/?a=1&u=2"), "", ignoring)
    alone = entry_of(request("http://example.com/?a=1"), "", ignoring)

    assert [strayed(merged, rule) for rule in (ignoring, other, None)] == [False, True, True]
    assert not strayed(merged, Overrides(query=QueryRule(("u",))))
    assert not any(strayed(alone, rule) for rule in (ignoring, other, None))
    assert not strayed(entry_of(request("http://example.com/?a=1&u=2"), ""), ignoring)


def test_fields_that_vary_names_are_kept_as_ever():
    assert entry_of(request(headers="Accept: b, a"), "Vary: accept").request.fields == [(b"accept", b"a,b")]
