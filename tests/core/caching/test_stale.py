"""Directives against occasions, by a controlled clock."""

import pytest

from sluicegate.core.caching import policy
from sluicegate.core.caching.decisions import (
    CacheOptions,
    Forward,
    Hit,
    Reason,
    Refuse,
    Revalidate,
    StaleOptions,
    Store,
)
from sluicegate.core.caching.stale import Occasion
from support.cache_policy import NOW, date, judged, stored
from support.messages import request, response

OPTIONS = CacheOptions(stale=StaleOptions(unreachable_s=100))
PRIVATE = CacheOptions(shared=False, stale=StaleOptions(unreachable_s=100))
BASE = "Cache-Control: max-age=60"
TAG = f'{date()}\nETag: "v1"'


def entry(control="", extra=TAG):
    return stored(f"{BASE}{', ' + control if control else ''}\n{extra}")


def used(occasion, control="", *, age=70, asks="", options=OPTIONS):
    """The reason to answer from a response that is fresh for 60 seconds, or None."""
    asked = request(headers=f"Cache-Control: {asks}" if asks else "")
    hit = policy.instead(asked, [entry(control)], occasion, options, NOW + age)
    return None if hit is None else hit.reason


FAILING = (Occasion.UNREACHABLE, Occasion.SLOW, Occasion.LIMITED)
TOLERANT = (*FAILING, Occasion.OFFLINE)
FORBIDDING = ("must-revalidate", "no-cache", "proxy-revalidate", "s-maxage=60")


@pytest.mark.parametrize(("age", "reason"), [(59, Reason.FRESH), (60, Reason.STALE_WHILE_REVALIDATE)])
def test_rfc5861_3_it_begins_when_the_response_becomes_stale(age, reason):
    found = policy.look_up(request(), [entry("stale-while-revalidate=30")], OPTIONS, NOW + age)

    assert isinstance(found, Hit)
    assert found.reason is reason
    assert (b"Age", b"%d" % age) in found.head.fields


@pytest.mark.parametrize(("age", "hit"), [(89, True), (90, False)])
def test_rfc5861_3_it_ends_after_that_many_seconds(age, hit):
    found = policy.look_up(request(), [entry("stale-while-revalidate=30")], OPTIONS, NOW + age)

    assert isinstance(found, Hit if hit else Revalidate)


@pytest.mark.parametrize("asks", ["no-cache", "no-store", "max-age=1000", "min-fresh=1", "max-stale=1"])
@pytest.mark.parametrize("occasion", [Occasion.REFRESH, Occasion.QUEUE])
def test_who_wishes_something_of_its_own_waits_for_it(asks, occasion):
    assert used(occasion, "stale-while-revalidate=30, stale-if-error=30", asks=asks) is None


@pytest.mark.parametrize("forbidding", FORBIDDING)
@pytest.mark.parametrize("occasion", Occasion)
def test_rfc9111_4_2_4_what_is_forbidden_is_allowed_by_nothing(occasion, forbidding):
    control = f"{forbidding}, stale-while-revalidate=30, stale-if-error=30"
    assert used(occasion, control) is None


@pytest.mark.parametrize(("control", "reason"), [("proxy-revalidate", True), ("s-maxage=1", True), ("no-cache", False)])
def test_what_is_said_to_shared_caches_does_not_bind_a_private_one(control, reason):
    assert (used(Occasion.UNREACHABLE, control, options=PRIVATE) is not None) is reason


@pytest.mark.parametrize("occasion", FAILING)
@pytest.mark.parametrize(("age", "usable"), [(159, True), (160, False)])
def test_an_origin_that_does_not_answer_is_stood_in_for_up_to_a_bound(occasion, age, usable):
    assert used(occasion, age=age) is (occasion.reason if usable else None)


@pytest.mark.parametrize("occasion", [*FAILING, Occasion.ERROR])
def test_rfc5861_4_stale_if_error_goes_further(occasion):
    assert used(occasion, "stale-if-error=1000", age=1059) is Reason.STALE_IF_ERROR
    assert used(occasion, "stale-if-error=1000", age=1060) is None


def test_an_error_is_an_answer_unless_the_origin_or_the_client_says_otherwise():
    assert used(Occasion.ERROR) is None
    assert used(Occasion.ERROR, asks="stale-if-error=11") is Reason.STALE_IF_ERROR
    assert used(Occasion.ERROR, asks="stale-if-error=10") is None


@pytest.mark.parametrize("occasion", [*FAILING, Occasion.ERROR])
def test_the_clients_own_bound_counts_in_place_of_any_other(occasion):
    assert used(occasion, "stale-if-error=1000", asks="stale-if-error=5") is None
    assert used(occasion, asks="stale-if-error=500", age=400) is Reason.STALE_IF_ERROR


@pytest.mark.parametrize("asks", ["max-age=0", "min-fresh=10", "max-stale=1", "no-store"])
@pytest.mark.parametrize("occasion", TOLERANT)
def test_preferences_are_not_better_met_by_an_error(occasion, asks):
    assert used(occasion, asks=asks) is occasion.reason


@pytest.mark.parametrize("occasion", Occasion)
def test_no_cache_is_no_preference(occasion):
    assert used(occasion, "stale-while-revalidate=30, stale-if-error=30", asks="no-cache") is None


def test_rfc9111_5_2_2_2_what_must_be_validated_when_stale_may_be_used_while_it_is_fresh():
    assert used(Occasion.UNREACHABLE, "must-revalidate", age=30, asks="max-age=0") is Reason.STALE_UNREACHABLE
    assert used(Occasion.UNREACHABLE, "no-cache", age=30, asks="max-age=0") is None


@pytest.mark.parametrize("age", [70, 10_000_000])
def test_offline_any_age_will_do(age):
    found = policy.look_up(request(), [entry()], CacheOptions(offline=True), NOW + age)

    assert isinstance(found, Hit)
    assert (found.reason, found.ttl_s) == (Reason.OFFLINE, 60 - age)


@pytest.mark.parametrize(
    ("asked", "entries"),
    [
        (request(), []),
        (request(method="POST"), [entry()]),
        (request(), [entry("must-revalidate")]),
        (request(headers='If-Match: "v1"'), [entry()]),
        (request(headers="Cache-Control: no-cache"), [entry()]),
    ],
    ids=["nothing stored", "unsafe", "forbidden", "for the origin to judge", "no-cache"],
)
def test_offline_everything_else_is_refused(asked, entries):
    found = policy.look_up(asked, entries, CacheOptions(offline=True), NOW + 70)

    assert isinstance(found, Refuse)
    assert (found.head.status, found.reason) == (504, Reason.OFFLINE)


def test_what_is_fresh_but_not_for_this_client_is_no_stand_in_for_an_error_that_nobody_allows_to_hide():
    assert used(Occasion.ERROR, age=30, asks="max-age=0") is None
    assert used(Occasion.ERROR, "stale-if-error=1", age=30, asks="max-age=0") is Reason.STALE_IF_ERROR


def test_offline_what_is_fresh_is_just_that():
    found = policy.look_up(request(), [entry()], CacheOptions(offline=True), NOW + 10)

    assert isinstance(found, Hit)
    assert found.reason is Reason.FRESH


@pytest.mark.parametrize(
    ("control", "asks", "age", "spare"),
    [
        ("", "", 70, True),
        ("", "", 160, False),
        ("", "no-cache", 70, False),
        ("must-revalidate", "", 70, False),
        ("no-cache", "", 10, False),
        ("stale-if-error=1000", "", 900, True),
    ],
)
def test_a_plan_says_whether_something_is_there_to_fall_back_on(control, asks, age, spare):
    asked = request(headers=f"Cache-Control: {asks}" if asks else "")
    plan = policy.look_up(asked, [entry(control)], OPTIONS, NOW + age)

    assert isinstance(plan, Revalidate)
    assert plan.spare is spare


@pytest.mark.parametrize(
    ("control", "kept"),
    [
        ("stale-while-revalidate=60", True),
        ("stale-if-error=60", True),
        ("stale-if-error=0", False),
        ("must-revalidate, stale-if-error=60", False),
    ],
)
def test_what_may_be_used_stale_is_worth_storing_though_it_is_never_fresh(control, kept):
    outcome = judged(policy.look_up(request(), [], OPTIONS, NOW), response(f"Cache-Control: max-age=0, {control}"))

    assert isinstance(outcome, Store) is kept


def test_a_plain_miss_has_nothing_to_fall_back_on():
    plan = policy.look_up(request(), [], OPTIONS, NOW)

    assert isinstance(plan, Forward)
    assert not plan.spare


def test_only_the_selected_variant_is_used():
    one = stored(f"{BASE}\nVary: X-Kind\n{TAG}", asked=request(headers="X-Kind: one"))
    found = [
        policy.instead(request(headers=f"X-Kind: {kind}"), [one], Occasion.UNREACHABLE, OPTIONS, NOW + 70)
        for kind in ("one", "two")
    ]

    assert [hit is not None for hit in found] == [True, False]


def test_what_was_refreshed_meanwhile_is_used_as_what_it_is():
    hit = policy.instead(request(), [entry()], Occasion.SLOW, OPTIONS, NOW + 10)

    assert hit is not None
    assert hit.reason is Reason.FRESH


@pytest.mark.parametrize(
    "field", ["Range: bytes=0-1", 'If-None-Match: "v9"', "If-Modified-Since: x", "Cache-Control: no-store", "Pragma: x"]
)
def test_a_renewal_asks_for_the_whole_and_for_nobody_in_particular(field):
    plan = policy.renewal(request(method="HEAD", headers=f"{field}\nAccept: a"), [entry()], OPTIONS, NOW + 70)

    assert isinstance(plan, Revalidate)
    assert plan.original.method == "GET"
    assert plan.original.fields == [(b"Accept", b"a")]
    assert (b"If-None-Match", b'"v1"') in plan.request.fields


def test_a_renewal_is_not_needed_of_what_is_fresh_or_gone():
    assert policy.renewal(request(), [entry()], OPTIONS, NOW + 10) is None
    assert policy.renewal(request(), [], OPTIONS, NOW + 70) is None
