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
    Lookup,
    Outcome,
    PassOn,
    Reason,
    Refuse,
    Revalidate,
    Store,
)
from sluicegate.core.caching.directives import format_date
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.policy import judge, look_up, may_use_cache
from sluicegate.core.http import RequestHead, ResponseHead, get, get_all
from support.messages import fields, request, response

NOW = 1_800_000_000.0
OPTIONS = CacheOptions()
FRESH = "Cache-Control: max-age=60"


def date(delta_s: float = 0) -> str:
    return f"Date: {format_date(NOW + delta_s).decode()}"


def judged(plan: Lookup, head: ResponseHead, *, at: float = NOW, options: CacheOptions = OPTIONS) -> Outcome:
    assert isinstance(plan, Revalidate | Forward)
    return judge(plan, head, options, request_time=at, response_time=at)


def stored(
    headers: str, entry_id: str = "1", *, asked: RequestHead | None = None, at: float = NOW, status: int = 200
) -> StoredEntry:
    """What is stored of a response with these fields, with the id that a store would give it."""
    outcome = judged(look_up(asked or request(), [], OPTIONS, at), response(headers, status=status), at=at)
    assert isinstance(outcome, Store)
    return replace(outcome.entry, id=entry_id)


# looking up


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
    assert isinstance(look_up(part, [stored(FRESH)], OPTIONS, NOW), Refuse)


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


def test_a_range_is_forwarded_and_its_answer_not_stored():
    found = look_up(request(headers="Range: bytes=0-1"), [stored(FRESH)], OPTIONS, NOW)

    assert isinstance(found, Forward)
    assert (found.reason, found.candidates) == (Reason.RANGE, [])
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
        ("GET", "Range: bytes=0-1", False),
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


# judging


def test_rfc9111_3_a_storable_response_is_stored_and_given_on():
    plan = look_up(request(headers="Foo: 1\nAuthorization: x"), [], CacheOptions(shared=False), NOW)
    head = response(f"{date()}\nCache-Control: max-age=60\nVary: Foo\nConnection: close, Bar\nBar: 1")

    outcome = judged(plan, head, options=CacheOptions(shared=False))

    assert isinstance(outcome, Store)
    assert outcome.reason is Reason.STORABLE
    assert outcome.head.fields == fields(f"{date()}\nCache-Control: max-age=60\nVary: Foo")
    assert outcome.entry.response.fields == outcome.head.fields
    assert outcome.entry.request.fields == [(b"foo", b"1")]
    assert (outcome.entry.id, outcome.entry.request_time, outcome.entry.response_time) == ("", NOW, NOW)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [("Cache-Control: no-store", Reason.NO_STORE), ("Cache-Control: private, max-age=60", Reason.PRIVATE)],
)
def test_a_response_that_may_not_be_stored_is_given_on_with_the_reason(headers, reason):
    outcome = judged(look_up(request(), [], OPTIONS, NOW), response(headers))

    assert isinstance(outcome, PassOn)
    assert outcome.reason is reason


def test_rfc9111_3_a_status_that_says_nothing_needs_leave_to_be_stored():
    outcome = judged(look_up(request(), [], OPTIONS, NOW), response('ETag: "a"', status=500))

    assert isinstance(outcome, PassOn)
    assert outcome.reason is Reason.NOTHING_ALLOWS_STORING


def test_rfc9111_4_3_4_a_304_freshens_what_it_validates_and_answers_from_it():
    entry = stored(f'{date()}\n{FRESH}\nETag: "a"\nFoo: old')
    plan = look_up(request(), [entry], OPTIONS, NOW + 100)

    outcome = judged(plan, response(f'{date(100)}\nETag: "a"\nFoo: new', status=304), at=NOW + 100)

    assert isinstance(outcome, Freshened)
    assert [update.id for update in outcome.updates] == ["1"]
    assert (outcome.entry.id, outcome.ttl_s, outcome.reason) == ("1", 60, Reason.VALIDATED)
    assert outcome.head.status == 200
    assert get(outcome.head.fields, b"foo") == b"new"
    assert get(outcome.head.fields, b"age") == b"0"
    assert isinstance(look_up(request(), outcome.updates, OPTIONS, NOW + 150), Hit)


def test_rfc9111_4_3_3_a_304_for_something_else_is_asked_again_without_validators():
    entry = stored(f'{FRESH}\nETag: "a"')
    asked = request(headers="Foo: 1")
    plan = look_up(asked, [entry], OPTIONS, NOW + 100)

    outcome = judged(plan, response('ETag: "b"', status=304), at=NOW + 100)

    assert isinstance(outcome, Again)
    assert outcome.remove == ["1"]
    assert outcome.forward.request == asked
    assert isinstance(judged(outcome.forward, response(FRESH)), Store)


def test_rfc9111_4_3_3_a_full_response_replaces_what_was_to_be_validated():
    entries = [stored(f'{FRESH}\nETag: "a"', entry_id) for entry_id in ("1", "2")]
    plan = look_up(request(), entries, OPTIONS, NOW + 100)

    outcome = judged(plan, response(f'{FRESH}\nETag: "b"'))

    assert isinstance(outcome, Store)
    assert sorted(outcome.remove) == ["1", "2"]
    assert outcome.reason is Reason.REPLACED


def test_a_newer_response_that_may_not_be_stored_ends_the_older_one_too():
    plan = look_up(request(), [stored(f'{FRESH}\nETag: "a"')], OPTIONS, NOW + 100)

    outcome = judged(plan, response("Cache-Control: no-store"))

    assert isinstance(outcome, PassOn)
    assert outcome.remove == ["1"]


def test_rfc9111_4_3_3_an_error_leaves_what_is_stored():
    plan = look_up(request(), [stored(f'{FRESH}\nETag: "a"')], OPTIONS, NOW + 100)

    outcome = judged(plan, response(status=503))

    assert isinstance(outcome, PassOn)
    assert outcome.remove == []


def test_a_head_request_replaces_nothing():
    plan = look_up(request(method="HEAD"), [stored(f'{FRESH}\nETag: "a"')], OPTIONS, NOW + 100)

    outcome = judged(plan, response(f'{FRESH}\nETag: "b"'))

    assert isinstance(outcome, PassOn)
    assert (outcome.reason, outcome.remove) == (Reason.METHOD, [])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"])
@pytest.mark.parametrize(("status", "removed"), [(200, ["1", "2"]), (303, ["1", "2"]), (404, []), (500, [])])
def test_rfc9111_4_4_an_unsafe_request_that_succeeds_invalidates_every_variant(method, status, removed):
    entries = [stored(f"{FRESH}\nVary: Foo", entry_id) for entry_id in ("1", "2")]
    plan = look_up(request(method=method, headers="Foo: other"), entries, OPTIONS, NOW)

    assert isinstance(plan, Forward)
    assert (plan.reason, plan.candidates) == (Reason.METHOD, entries)
    outcome = judged(plan, response(FRESH, status=status))
    assert isinstance(outcome, PassOn)
    assert (outcome.reason, outcome.remove) == (Reason.METHOD, removed)


def test_with_the_cache_off_nothing_is_used_and_nothing_stored():
    off = CacheOptions(enabled=False)
    plan = look_up(request(), [stored(FRESH)], off, NOW)

    assert isinstance(plan, Forward)
    assert plan.reason is Reason.CACHE_OFF
    outcome = judged(plan, response(FRESH), options=off)
    assert isinstance(outcome, PassOn)
    assert outcome.reason is Reason.CACHE_OFF


def test_a_response_to_a_plain_forward_is_stored_too():
    outcome = judged(Forward(request(), Reason.URI_MISS), response(FRESH))

    assert isinstance(outcome, Store)


def test_a_cache_switched_on_meanwhile_does_not_store_what_was_asked_without_it():
    plan = look_up(request(), [], CacheOptions(enabled=False), NOW)

    assert isinstance(judged(plan, response(FRESH)), PassOn)


# whatever comes

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
