import pytest

from sluicegate.core.caching.decisions import (
    Again,
    CacheOptions,
    Forward,
    Freshened,
    Hit,
    PassOn,
    Reason,
    Store,
)
from sluicegate.core.caching.policy import look_up
from sluicegate.core.http import get
from support.cache_policy import FRESH, NOW, OPTIONS, date, judged, stored
from support.messages import fields, request, response


def test_rfc9111_3_a_storable_response_is_stored_and_given_on():
    plan = look_up(request(headers="Foo: 1\nAuthorization: x"), [], CacheOptions(shared=False), NOW)
    head = response(f"{date()}\nCache-Control: max-age=60\nVary: Foo")

    outcome = judged(plan, head, options=CacheOptions(shared=False))

    assert isinstance(outcome, Store)
    assert outcome.reason is Reason.STORABLE
    assert outcome.head.fields == fields(f"{date()}\nCache-Control: max-age=60\nVary: Foo")
    assert outcome.entry.response.fields == outcome.head.fields
    assert outcome.entry.request.fields == [
        (b"foo", b"1"),
        (b":credentials", b"authorization"),
        (b":private", b""),
    ]
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


@pytest.mark.parametrize(
    ("status", "removed"), [(200, ["1"]), (301, ["1"]), (404, ["1"]), (410, ["1"]), (302, []), (403, []), (503, [])]
)
def test_what_is_moved_or_gone_is_so_even_if_that_is_not_stored(status, removed):
    entry = stored(f'{date()}\n{FRESH}\nETag: "a"')
    plan = look_up(request(), [entry], OPTIONS, NOW + 100)

    assert judged(plan, response("Cache-Control: no-store", status=status), at=NOW + 100).remove == removed


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


@pytest.mark.parametrize(("asked", "status"), [('If-Match: "x"', 412), ("Range: bytes=99-", 416)])
def test_an_answer_to_one_requests_condition_or_range_is_for_nobody_else(asked, status):
    plan = look_up(request(headers=asked), [], OPTIONS, NOW)

    assert isinstance(judged(plan, response(f'{date()}\n{FRESH}\nETag: "a"', status=status)), PassOn)


@pytest.mark.parametrize("asked", ["Range: bytes=0-1", 'If-Match: "a"', f"If-Unmodified-Since: {date()[6:]}"])
def test_a_whole_response_takes_the_place_of_the_one_that_could_not_be_used(asked):
    old = stored(f'{date()}\nCache-Control: no-cache\nETag: "a"', "old")
    plan = look_up(request(headers=asked), [old], OPTIONS, NOW)
    outcome = judged(plan, response(f'{date()}\nCache-Control: no-cache\nETag: "a"'))

    assert isinstance(outcome, Store)
    assert outcome.remove == ["old"]


def test_a_part_does_not_take_the_place_of_a_whole_response():
    old = stored(f'{date()}\nCache-Control: no-cache\nETag: "a"', "old")
    plan = look_up(request(headers="Range: bytes=0-1"), [old], OPTIONS, NOW)
    part = response(f'{date()}\n{FRESH}\nETag: "a"\nContent-Range: bytes 0-1/10', status=206)

    outcome = judged(plan, part)
    assert isinstance(outcome, Store)
    assert outcome.remove == []


def test_rfc9111_4_of_two_responses_of_the_same_age_the_later_one_is_used():
    earlier, later = stored(f"{date()}\n{FRESH}", "earlier"), stored(f"{date()}\n{FRESH}", "later", at=NOW + 0.5)

    for entries in ([earlier, later], [later, earlier]):
        found = look_up(request(), entries, OPTIONS, NOW + 0.9)
        assert isinstance(found, Hit)
        assert found.entry.id == "later"


@pytest.mark.parametrize("control", ["private, max-age=60", "no-store, max-age=60", "no-store"])
def test_rfc9111_3_what_a_304_takes_from_others_goes_and_answers_once_more(control):
    entry = stored(f'{date()}\n{FRESH}\nETag: "a"')
    plan = look_up(request(headers="Cache-Control: no-cache"), [entry], OPTIONS, NOW)

    outcome = judged(plan, response(f'ETag: "a"\nCache-Control: {control}', status=304))

    assert isinstance(outcome, Freshened)
    assert (outcome.updates, outcome.remove) == ([], ["1"])
    assert get(outcome.head.fields, b"cache-control") == control.encode()


@pytest.mark.parametrize("asked", ["Authorization: x", "Cache-Control: no-store"])
def test_rfc9111_3_5_a_304_that_is_for_one_client_updates_nothing(asked):
    entry = stored(f'{date()}\n{FRESH}\nETag: "a"')
    plan = look_up(request(headers=asked), [entry], OPTIONS, NOW + 61)

    outcome = judged(plan, response(f'ETag: "a"\n{FRESH}\nX-User: me', status=304), at=NOW + 61)

    assert isinstance(outcome, Freshened)
    assert (outcome.updates, outcome.remove) == ([], [])
    assert get(outcome.head.fields, b"x-user") == b"me"


def test_a_304_that_changes_vary_makes_it_the_variant_of_who_asked():
    entry = stored(f'{date()}\n{FRESH}\nETag: "a"', asked=request(headers="X-Kind: p"))
    plan = look_up(request(headers="X-Kind: q\nCache-Control: no-cache"), [entry], OPTIONS, NOW)

    outcome = judged(plan, response('ETag: "a"\nVary: X-Kind', status=304))

    assert isinstance(outcome, Freshened)
    [update] = outcome.updates
    assert isinstance(look_up(request(headers="X-Kind: q"), [update], OPTIONS, NOW), Hit)
    assert not isinstance(look_up(request(headers="X-Kind: p"), [update], OPTIONS, NOW), Hit)
    assert not isinstance(look_up(request(), [update], OPTIONS, NOW), Hit)
