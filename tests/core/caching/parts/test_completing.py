"""From a stored part to the whole (RFC 9111 §3.4)."""

from dataclasses import replace

import pytest

from sluicegate.core.caching.decisions import Again, Forward, Join, PassOn, Reason, Span, Store
from sluicegate.core.caching.policy import look_up
from sluicegate.core.http import get, get_all
from support.cache_policy import FRESH, NOW, OPTIONS, date, judged, stored
from support.messages import request, response


def part(first: int, last: int, more: str = 'ETag: "a"'):
    asked = request(headers=f"Range: bytes={first}-{last}")
    headers = f"{date()}\n{FRESH}\nContent-Range: bytes {first}-{last}/10\nX-Old: 1\n{more}"
    return replace(stored(headers, asked=asked, status=206), body_length=last + 1 - first)


def asked_for(entry, headers="", at=NOW + 10):
    found = look_up(request(headers=headers), [entry], OPTIONS, at)
    assert isinstance(found, Forward)
    return found


def answer(first, last, more='ETag: "a"', total=10):
    return response(f"{date(10)}\n{FRESH}\nContent-Range: bytes {first}-{last}/{total}\nX-New: 2\n{more}", status=206)


@pytest.mark.parametrize(("held", "asked", "missing"), [((0, 3), "bytes=4-", (4, 10)), ((4, 9), "bytes=0-3", (0, 4))])
def test_what_is_missing_is_asked_for_if_the_version_is_the_same(held, asked, missing):
    plan = asked_for(part(*held))

    assert get(plan.request.fields, b"range") == asked.encode()
    assert get(plan.request.fields, b"if-range") == b'"a"'
    assert plan.completes.missing == Span(*missing)
    assert plan.reason is Reason.RANGE


def test_a_stale_part_is_completed_as_well_for_the_origin_says_that_it_is_current():
    assert asked_for(part(0, 3), at=NOW + 1000).completes is not None


def test_a_part_from_the_middle_is_no_help():
    plan = asked_for(part(2, 5))

    assert plan.completes is None
    assert get_all(plan.request.fields, b"range") == []


@pytest.mark.parametrize("headers", ["Range: bytes=0-9", 'If-None-Match: "b"', "If-Modified-Since: " + date()[6:]])
def test_only_a_request_for_the_whole_without_conditions_completes_a_part(headers):
    assert asked_for(part(0, 3), headers).completes is None


@pytest.mark.parametrize(("held", "sent", "first"), [((0, 3), (4, 9), True), ((4, 9), (0, 3), False)])
def test_both_together_are_the_whole(held, sent, first):
    entry = part(*held)
    outcome = judged(asked_for(entry), answer(*sent), at=NOW + 10)

    assert isinstance(outcome, Join)
    assert (outcome.head.status, outcome.part, outcome.part_first) == (200, entry, first)
    assert outcome.remove == [entry.id]
    assert outcome.length == 10
    assert outcome.entry.response.status == 200
    for fields in (outcome.head.fields, outcome.entry.response.fields):
        assert get_all(fields, b"content-length") == [b"10"]
        assert get_all(fields, b"content-range") == []
        assert (get(fields, b"x-old"), get(fields, b"x-new")) == (b"1", b"2")
    assert outcome.entry.response_time == NOW + 10


@pytest.mark.parametrize(
    "other",
    [
        answer(4, 8),
        answer(3, 9),
        answer(4, 9, total=11),
        answer(4, 9, 'ETag: "b"'),
        answer(4, 9, ""),
        answer(4, 9, 'ETag: "a"\nContent-Encoding: gzip'),
        response(status=416),
        response(status=304),
    ],
)
def test_a_part_that_does_not_fit_is_never_joined_and_all_is_asked_for(other):
    entry = part(0, 3)
    outcome = judged(asked_for(entry), other)

    assert isinstance(outcome, Again)
    assert outcome.forward.request.fields == []
    assert outcome.forward.completes is None
    assert outcome.remove == [entry.id]


def test_a_new_version_is_stored_in_its_place():
    entry = part(0, 3)
    outcome = judged(asked_for(entry), response(f'{date()}\n{FRESH}\nETag: "b"'))

    assert isinstance(outcome, Store)
    assert outcome.remove == [entry.id]
    assert get_all(outcome.entry.request.fields, b"range") == []


def test_an_error_is_passed_on_and_the_part_kept():
    outcome = judged(asked_for(part(0, 3)), response("Cache-Control: no-store", status=503))

    assert isinstance(outcome, PassOn)
    assert outcome.remove == []


def test_by_last_modified_too():
    modified = f"Last-Modified: {date(-100)[6:]}"
    plan = asked_for(part(0, 3, modified))

    assert get(plan.request.fields, b"if-range") == date(-100)[6:].encode()
    assert isinstance(judged(plan, answer(4, 9, modified)), Join)
    assert isinstance(judged(plan, answer(4, 9, f"Last-Modified: {date(-50)[6:]}")), Again)
