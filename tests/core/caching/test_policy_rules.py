"""What the policy decides where a rule of the user's own counts."""

from dataclasses import replace

import pytest

from sluicegate.core.caching.decisions import CacheOptions, Forward, Hit, PassOn, Reason, Refuse, Revalidate, Store
from sluicegate.core.caching.policy import look_up
from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.caching.rules.queries import QueryRule
from support.cache_policy import FRESH, NOW, date, judged
from support.messages import request, response

NO_CACHE = "Cache-Control: no-cache"
RELOADS = [NO_CACHE, "Pragma: no-cache", "Cache-Control: max-age=0"]


def ruled(*, shared=True, **rule):
    return CacheOptions(shared=shared, enabled=not rule.get("never"), rule=Overrides(**rule))


def outcome(said, options, *, asked=None, status=200, at=NOW):
    return judged(look_up(asked or request(), [], options, at), response(said, status=status), at=at, options=options)


def kept(said, options, *, asked=None, at=NOW):
    stored = outcome(f"{date()}\n{said}", options, asked=asked, at=at)
    assert isinstance(stored, Store), stored
    return replace(stored.entry, id="1")


def found(entry, options, *, after=0.0, asked=""):
    return look_up(request(headers=asked), [entry], options, NOW + after)


def test_a_ttl_keeps_something_fresh_longer_than_it_says_and_says_so():
    options = ruled(ttl_s=600.0)
    entry = kept("Cache-Control: max-age=1", options)

    hit = found(entry, options, after=599)
    assert isinstance(hit, Hit)
    assert (hit.reason, hit.ttl_s) == (Reason.RULE_TTL, 1)
    assert isinstance(found(entry, options, after=600), Forward)


def test_a_ttl_keeps_something_fresh_for_less_time_than_it_says():
    options = ruled(ttl_s=5.0)
    entry = kept("Cache-Control: max-age=60\nETag: a", options)

    assert isinstance(found(entry, options, after=4), Hit)
    assert found(entry, options, after=5).reason is Reason.STALE


def test_a_ttl_stands_in_for_the_origins_wish_to_be_asked():
    options = ruled(ttl_s=60.0)
    entry = kept(f"{NO_CACHE}\nETag: a", options)

    assert isinstance(found(entry, options, after=59), Hit)
    assert isinstance(found(entry, options, after=60), Revalidate)


def test_a_validation_begins_the_rules_time_anew():
    options = ruled(ttl_s=60.0)
    entry = kept("Cache-Control: max-age=0\nETag: a", options)

    freshened = judged(found(entry, options, after=100), response("ETag: a", status=304), at=NOW + 100, options=options)
    assert freshened.ttl_s == 60
    assert isinstance(found(freshened.updates[0], options, after=159), Hit)
    assert isinstance(found(freshened.updates[0], options, after=160), Revalidate)


def test_a_ttl_of_nothing_asks_each_time():
    options = ruled(ttl_s=0.0)

    assert isinstance(found(kept(f"{FRESH}\nETag: a", options), options), Revalidate)


def test_a_change_of_rules_counts_for_what_is_stored():
    short, long, none = ruled(ttl_s=1.0), ruled(ttl_s=100.0), CacheOptions()
    entry = kept("Cache-Control: max-age=10", none)

    kinds = [type(found(entry, options, after=age)) for options in (none, short, long, none) for age in (5, 50)]
    assert kinds == [Hit, Forward, Forward, Forward, Hit, Hit, Hit, Forward]


def test_force_stores_what_says_nothing_and_says_so():
    options = ruled(ttl_s=60.0, force=True)

    assert outcome("", options).reason is Reason.RULE_STORE
    assert isinstance(found(kept("", options), options, after=59), Hit)
    assert outcome("", ruled(ttl_s=60.0)).reason is Reason.NO_USE


def test_a_ttl_alone_stores_what_says_that_it_is_stale_at_once():
    assert outcome("Cache-Control: max-age=0", ruled(ttl_s=60.0)).reason is Reason.RULE_STORE
    assert outcome(FRESH, ruled(ttl_s=60.0)).reason is Reason.STORABLE


@pytest.mark.parametrize(
    ("asked", "said", "reason"),
    [
        ("", "Cache-Control: no-store", Reason.NO_STORE),
        ("Cache-Control: no-store", "", Reason.REQUEST_NO_STORE),
        ("", "Cache-Control: private, max-age=9", Reason.PRIVATE),
        ("Authorization: Basic x", FRESH, Reason.AUTHORIZATION),
        ("Authorization: Basic x", "", Reason.AUTHORIZATION),
        ("", f"{FRESH}\nVary: *", Reason.VARIES_ALWAYS),
        ("Cookie: a=1", "", Reason.RULE_PERSONAL),
        ("Cookie: a=1", "Cache-Control: max-age=0", Reason.RULE_PERSONAL),
    ],
)
def test_what_forbids_storing_forbids_it_whatever_the_rule_says(asked, said, reason):
    told = outcome(said, ruled(ttl_s=60.0, force=True), asked=request(headers=asked))

    assert isinstance(told, PassOn)
    assert told.reason is reason


def test_what_sets_a_cookie_is_never_stored_by_force_for_several():
    assert isinstance(outcome("Set-Cookie: a=1", ruled(ttl_s=60.0, force=True)), PassOn)
    assert isinstance(outcome("Set-Cookie: a=1", ruled(shared=False, ttl_s=60.0, force=True)), Store)


def test_a_page_made_for_one_visitor_is_asked_about_by_the_next():
    """It has a validator, so it is stored as ever; the origin decides each time who may have it."""
    options = ruled(ttl_s=600.0)
    entry = kept(f"{NO_CACHE}\nETag: a", options, asked=request(headers="Cookie: session=1"))

    assert isinstance(found(entry, options, asked="Cookie: session=2"), Revalidate)
    assert isinstance(found(entry, options), Revalidate)


def test_a_page_stored_for_one_visitor_before_there_was_a_rule_is_not_prolonged_by_it():
    entry = kept(f"{NO_CACHE}\nETag: a", CacheOptions(), asked=request(headers="Cookie: a=1"))

    assert isinstance(found(entry, ruled(ttl_s=600.0)), Revalidate)


@pytest.mark.parametrize("reload", RELOADS)
def test_immutable_answers_a_reload_from_what_is_fresh_and_says_so(reload):
    options = ruled(immutable=True)
    entry = kept(f"{FRESH}\nETag: a", options)

    hit = found(entry, options, after=59, asked=reload)
    assert isinstance(hit, Hit)
    assert hit.reason is Reason.RULE_RELOAD
    assert isinstance(found(entry, options, after=60, asked=reload), Revalidate)
    assert isinstance(found(entry, CacheOptions(), after=59, asked=reload), Revalidate)


def test_immutable_lets_no_reload_end_in_something_stale():
    options = ruled(immutable=True)
    entry = kept(f"{FRESH}\nETag: a", options)

    assert isinstance(found(entry, options, after=99, asked="Cache-Control: max-age=0, max-stale=500"), Revalidate)


def test_a_clients_no_cache_counts_for_nothing_but_its_max_age_does():
    options = ruled(ignore_client_no_cache=True)
    entry = kept(f"{FRESH}\nETag: a", options)

    kinds = [type(found(entry, options, after=9, asked=asked)) for asked in RELOADS]
    assert kinds == [Hit, Hit, Revalidate]
    assert found(entry, options, after=9, asked=f"{NO_CACHE}, max-age=10").reason is Reason.RULE_RELOAD


def test_no_rule_lets_a_reload_past_an_origin_that_wants_to_be_asked():
    options = ruled(immutable=True, ignore_client_no_cache=True)

    assert isinstance(found(kept(f"{NO_CACHE}\nETag: a", options), options, asked=NO_CACHE), Revalidate)


def test_no_rule_makes_a_request_go_out_that_must_not():
    options = ruled(immutable=True)

    assert isinstance(look_up(request(headers=f"{NO_CACHE}, only-if-cached"), [], options, NOW), Refuse)


def test_never_neither_answers_nor_stores():
    options = ruled(never=True)
    entry = kept(FRESH, CacheOptions())

    plan = found(entry, options)
    assert isinstance(plan, Forward)
    assert plan.reason is Reason.RULE_NEVER
    assert judged(plan, response(FRESH), options=options).reason is Reason.RULE_NEVER


def test_ranges_of_what_a_rule_keeps_fresh_are_answered_too():
    options = ruled(ttl_s=60.0)
    entry = replace(kept("Cache-Control: max-age=1", options), body_length=10)

    hit = found(entry, options, after=30, asked="Range: bytes=2-3")
    assert (hit.head.status, hit.reason) == (206, Reason.RULE_TTL)


def test_what_was_merged_by_a_rule_is_not_found_without_it():
    options = ruled(query=QueryRule(everything=True))
    entry = kept(FRESH, options, asked=request("http://example.com/a?id=5"))

    assert isinstance(look_up(request("http://example.com/a?id=6"), [entry], options, NOW), Hit)
    assert isinstance(look_up(request("http://example.com/a"), [entry], CacheOptions(), NOW), Forward)


def test_a_validation_asks_for_the_url_of_the_client():
    options = ruled(query=QueryRule(everything=True))
    entry = kept(f"{NO_CACHE}\nETag: a", options, asked=request("http://example.com/a?id=5"))
    plan = look_up(request("http://example.com/a?id=6"), [entry], options, NOW)

    assert plan.request.url == "http://example.com/a?id=6"
