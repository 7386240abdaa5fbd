from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.caching.decisions import (
    Again,
    CacheOptions,
    Forward,
    Freshened,
    Hit,
    PassOn,
    Reason,
    Refuse,
    Revalidate,
    Store,
)
from sluicegate.core.caching.policy import look_up, may_use_cache
from sluicegate.core.http import RequestHead, ResponseHead, get, get_all
from support.cache_policy import FRESH, NOW, OPTIONS, date, judged, stored
from support.messages import fields, request, response


def test_nothing_stored_is_forwarded_as_it_came():
    asked = request(headers="Foo: 1")

    found = look_up(asked, [], OPTIONS, NOW)
    assert isinstance(found, Forward)
    assert (found.request, found.reason, found.candidates) == (asked, Reason.URI_MISS, [])


def test_rfc9111_4_2_a_fresh_response_answers_with_its_age():
    entry = stored(f"{date()}\n{FRESH}\nFoo: 1")

    found = look_up(request(), [entry], OPTIONS, NOW + 10)

    assert isinstance(found, Hit)
    assert (found.entry, found.ttl_s, found.reason) == (entry, 50, Reason.FRESH)
    assert found.head.fields == fields(f"{date()}\n{FRESH}\nFoo: 1\nAge: 10")


def test_rfc9111_4_2_freshness_ends_on_the_second():
    entry = stored(f"{date()}\n{FRESH}")

    assert isinstance(look_up(request(), [entry], OPTIONS, NOW + 59), Hit)
    assert isinstance(look_up(request(), [entry], OPTIONS, NOW + 60), Forward)


def test_rfc9111_4_2_3_a_response_that_came_old_is_stale_sooner():
    entry = stored(f"{date()}\n{FRESH}\nAge: 55")

    assert isinstance(look_up(request(), [entry], OPTIONS, NOW + 4), Hit)
    assert not isinstance(look_up(request(), [entry], OPTIONS, NOW + 5), Hit)


def test_rfc9111_4_3_1_a_stale_response_with_a_validator_is_validated():
    entry = stored(f'{date()}\n{FRESH}\nETag: "a"')
    asked = request(headers="Foo: 1")

    found = look_up(asked, [entry], OPTIONS, NOW + 100)

    assert isinstance(found, Revalidate)
    assert (found.original, found.candidates, found.reason) == (asked, [entry], Reason.STALE)
    assert found.request.fields == fields('Foo: 1\nIf-None-Match: "a"')


def test_a_stale_response_without_a_validator_is_fetched_anew_and_replaced():
    entry = stored(f"{date()}\n{FRESH}")

    found = look_up(request(), [entry], OPTIONS, NOW + 100)
    assert isinstance(found, Forward)
    assert (found.request, found.reason, found.candidates) == (request(), Reason.STALE, [entry])

    outcome = judged(found, response(FRESH), at=NOW + 100)
    assert isinstance(outcome, Store)
    assert (outcome.reason, outcome.remove) == (Reason.REPLACED, ["1"])


def test_rfc9111_5_2_2_4_no_cache_is_validated_though_it_is_fresh():
    found = look_up(request(), [stored(f'{FRESH}, no-cache\nETag: "a"')], OPTIONS, NOW)

    assert isinstance(found, Revalidate)
    assert found.reason is Reason.RESPONSE_NO_CACHE


@pytest.mark.parametrize("headers", ["Cache-Control: no-cache", "Pragma: no-cache"])
def test_rfc9111_5_2_1_4_the_client_may_ask_for_validation(headers):
    found = look_up(request(headers=headers), [stored(f'{FRESH}\nETag: "a"')], OPTIONS, NOW)

    assert isinstance(found, Revalidate)
    assert found.reason is Reason.REQUEST_NO_CACHE


def test_rfc9111_5_4_pragma_says_nothing_beside_cache_control():
    asked = request(headers="Pragma: no-cache\nCache-Control: foo")

    assert isinstance(look_up(asked, [stored(FRESH)], OPTIONS, NOW), Hit)


@pytest.mark.parametrize("directive", ["max-age=0", "max-age=5", "min-fresh=55"])
def test_rfc9111_5_2_1_the_client_may_ask_for_something_fresher(directive):
    found = look_up(request(headers=f"Cache-Control: {directive}"), [stored(FRESH)], OPTIONS, NOW + 10)

    assert isinstance(found, Forward)
    assert found.reason is Reason.REQUEST_TOO_OLD


def test_rfc8246_2_what_is_immutable_answers_a_reload_as_long_as_it_is_fresh():
    reload, forced = (request(headers=f"Cache-Control: {directive}") for directive in ("max-age=0", "no-cache"))
    entry = stored(f"{FRESH}, immutable")

    assert isinstance(look_up(reload, [entry], OPTIONS, NOW + 59), Hit)
    assert not isinstance(look_up(reload, [entry], OPTIONS, NOW + 60), Hit)
    assert not isinstance(look_up(forced, [entry], OPTIONS, NOW), Hit)


@pytest.mark.parametrize(("directive", "hit"), [("max-stale", True), ("max-stale=41", True), ("max-stale=40", False)])
def test_rfc9111_5_2_1_2_the_client_may_take_something_stale(directive, hit):
    asked = request(headers=f"Cache-Control: {directive}")

    assert isinstance(look_up(asked, [stored(FRESH)], OPTIONS, NOW + 100), Hit) is hit
    assert not isinstance(look_up(asked, [stored(f"{FRESH}, must-revalidate")], OPTIONS, NOW + 100), Hit)


def test_a_stale_hit_says_that_it_is_stale():
    found = look_up(request(headers="Cache-Control: max-stale"), [stored(FRESH)], OPTIONS, NOW + 100)

    assert isinstance(found, Hit)
    assert (found.ttl_s, found.reason) == (-40, Reason.STALE)


def test_rfc9111_5_2_1_7_only_if_cached_is_never_forwarded():
    asked = request(headers="Cache-Control: only-if-cached")

    assert isinstance(look_up(asked, [stored(FRESH)], OPTIONS, NOW), Hit)
    for entries in ([], [stored(f'{FRESH}\nETag: "a"')]):
        found = look_up(asked, entries, OPTIONS, NOW + 100)
        assert isinstance(found, Refuse)
        assert (found.head.status, found.reason) == (504, Reason.ONLY_IF_CACHED)
    part = request(headers="Cache-Control: only-if-cached\nRange: bytes=0-1")
    assert isinstance(look_up(part, [stored(FRESH)], OPTIONS, NOW), Hit)
    assert isinstance(look_up(part, [stored(FRESH)], OPTIONS, NOW + 100), Refuse)


def test_rfc9111_4_1_the_variant_that_matches_answers():
    german = request(headers="Accept-Language: de")
    english = request(headers="Accept-Language: en")
    entries = [
        stored(f"{FRESH}\nVary: Accept-Language\nX: {asked.fields[0][1].decode()}", str(position), asked=asked)
        for position, asked in enumerate((german, english))
    ]

    found = look_up(english, entries, OPTIONS, NOW)
    assert isinstance(found, Hit)
    assert found.entry.id == "1"

    missed = look_up(request(headers="Accept-Language: fr"), entries, OPTIONS, NOW)
    assert isinstance(missed, Forward)
    assert (missed.reason, missed.candidates) == (Reason.VARY_MISS, [])


def test_the_youngest_of_several_matching_responses_answers():
    older, younger = stored(f"{date(-5)}\n{FRESH}", "old"), stored(f"{date()}\n{FRESH}", "young")

    found = look_up(request(), [older, younger, older], OPTIONS, NOW)

    assert isinstance(found, Hit)
    assert found.entry.id == "young"


def test_head_is_answered_by_what_get_brought():
    assert isinstance(look_up(request(method="HEAD"), [stored(FRESH)], OPTIONS, NOW), Hit)


@pytest.mark.parametrize("entries", [[], [stored(f'{FRESH}\nETag: "a"')]], ids=["nothing stored", "stale"])
def test_a_range_of_what_is_not_fresh_is_forwarded_and_its_answer_not_stored(entries):
    asked = request(headers="Range: bytes=0-1")

    found = look_up(asked, entries, OPTIONS, NOW + 100)

    assert isinstance(found, Forward)
    assert found.request == asked
    assert (found.reason, found.candidates) == (Reason.RANGE, entries)
    outcome = judged(found, response(FRESH, status=206))
    assert isinstance(outcome, PassOn)
    assert outcome.reason is Reason.NOT_UNDERSTOOD
    assert isinstance(judged(found, response(FRESH)), Store)


@pytest.mark.parametrize("name", ["If-Match", "If-Unmodified-Since"])
def test_rfc9111_4_3_2_conditions_for_the_origin_go_to_the_origin(name):
    found = look_up(request(headers=f"{name}: x"), [stored(FRESH)], OPTIONS, NOW)

    assert isinstance(found, Forward)
    assert found.reason is Reason.PRECONDITION


@pytest.mark.parametrize(
    ("method", "headers", "asked"),
    [
        ("GET", "", True),
        ("HEAD", "", True),
        ("POST", "", True),
        ("DELETE", "", True),
        ("OPTIONS", "", False),
        ("TRACE", "", False),
        ("GET", "Range: bytes=0-1", True),
        ("GET", "If-Match: x", False),
    ],
)
def test_the_store_is_asked_only_when_it_can_matter(method, headers, asked):
    assert may_use_cache(request(headers=headers, method=method)) is asked


# the client's own conditions


def test_rfc9111_4_3_2_a_client_that_has_the_fresh_response_gets_a_304():
    entry = stored(f'{date()}\n{FRESH}\nETag: "a"\nContent-Type: text/plain')

    found = look_up(request(headers='If-None-Match: W/"a"'), [entry], OPTIONS, NOW + 10)

    assert isinstance(found, Hit)
    assert found.head.status == 304
    assert found.head.fields == fields(f'{date()}\n{FRESH}\nETag: "a"\nAge: 10')


def test_rfc9111_4_3_2_a_client_that_has_another_response_gets_the_stored_one():
    found = look_up(request(headers='If-None-Match: "b"'), [stored(f'{FRESH}\nETag: "a"')], OPTIONS, NOW)

    assert isinstance(found, Hit)
    assert found.head.status == 200


def test_a_clients_condition_gives_way_to_the_caches_and_is_answered_after_it():
    entry = stored(f'{FRESH}\nETag: "a"')
    same, other = (request(headers=f"If-None-Match: {tag}") for tag in ('"a"', '"b"'))

    for asked, status in ((same, 304), (other, 200)):
        plan = look_up(asked, [entry], OPTIONS, NOW + 100)
        assert isinstance(plan, Revalidate)
        assert get_all(plan.request.fields, b"if-none-match") == [b'"a"']
        outcome = judged(plan, response('ETag: "a"', status=304), at=NOW + 100)
        assert isinstance(outcome, Freshened)
        assert outcome.head.status == status


def test_a_condition_with_nothing_stored_is_the_origins_to_answer():
    plan = look_up(request(headers='If-None-Match: "a"'), [], OPTIONS, NOW)

    assert isinstance(plan, Forward)
    assert get(plan.request.fields, b"if-none-match") == b'"a"'
    outcome = judged(plan, response(FRESH, status=304))
    assert isinstance(outcome, PassOn)
    assert outcome.head.status == 304


_directives = (
    *("max-age=0", "max-age=60", "max-age=x", "s-maxage=5", "min-fresh=9", "max-stale", "max-stale=5", "public"),
    *("no-cache", "no-store", "private", 'private="a"', "must-revalidate", "must-understand", "only-if-cached"),
)
_fields = st.lists(
    st.one_of(
        st.lists(st.sampled_from(_directives), max_size=3).map(
            lambda some: (b"Cache-Control", ", ".join(some).encode())
        ),
        st.tuples(
            st.sampled_from(
                [b"ETag", b"Last-Modified", b"Expires", b"Date", b"Age", b"Vary", b"If-None-Match", b"Range"]
            ),
            st.sampled_from([b'"a"', b'W/"b"', b"*", b"5", b"Foo", b"\xff", b"", date()[6:].encode()]),
        ),
    ),
    max_size=5,
)
_method = st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "get", ""])
_status = st.sampled_from([100, 200, 204, 206, 301, 304, 404, 412, 500, 599])


_heads = st.builds(lambda status, received: ResponseHead(status, b"", received), _status, _fields)


@given(method=_method, asked=_fields, first=_heads, answer=_heads, shared=st.booleans(), later=st.floats(-100, 100))
def test_every_request_and_every_response_end_in_a_decision(*, method, asked, first, answer, shared, later):
    options = CacheOptions(shared=shared)
    outcome = judged(look_up(request(), [], options, NOW), first, options=options)
    entries = [replace(outcome.entry, id="1")] if isinstance(outcome, Store) else []

    plan = look_up(RequestHead(method, request().origin, "/a", asked), entries, options, NOW + later)

    if isinstance(plan, Forward | Revalidate):
        outcome = judged(plan, answer, at=NOW + later, options=options)
        if isinstance(outcome, Again):
            assert not isinstance(judged(outcome.forward, answer, at=NOW + later, options=options), Again)
    else:
        assert get(plan.head.fields, b"age") is not None or plan.head.status == 504


def test_rfc9111_4_of_two_responses_the_later_date_counts_and_not_the_age():
    later = stored(f"{date(-5)}\n{FRESH}\nAge: 30", "later", at=NOW)
    earlier = stored(f"{date(-10)}\n{FRESH}", "earlier", at=NOW)

    found = look_up(request(), [earlier, later], OPTIONS, NOW)

    assert isinstance(found, Hit)
    assert found.entry.id == "later"
