"""Ranges from what is stored (RFC 9110 §14, RFC 9111 §3.2)."""

from dataclasses import replace

import pytest

from sluicegate.core.caching.decisions import Forward, Hit, Reason, Refuse, Span, Store
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.policy import look_up
from sluicegate.core.http import get
from support.cache_policy import FRESH, NOW, OPTIONS, date, judged, stored
from support.messages import request, response


def hit(headers: str, *, status: int = 200, length: int | None = 10) -> Hit:
    entry = replace(stored(f'{date()}\n{FRESH}\nETag: "a"', status=status), body_length=length)
    found = look_up(request(headers=headers), [entry], OPTIONS, NOW + 10)
    assert isinstance(found, Hit)
    return found


def test_a_fresh_response_answers_a_range_of_it():
    found = hit("Range: bytes=2-3")

    assert (found.head.status, found.span, found.ttl_s, found.reason) == (206, Span(2, 4), 50, Reason.FRESH)
    assert get(found.head.fields, b"content-range") == b"bytes 2-3/10"
    assert get(found.head.fields, b"age") == b"10"


def test_a_range_that_is_not_there_is_refused_from_what_is_stored():
    found = hit("Range: bytes=10-")

    assert (found.head.status, found.span) == (416, None)


def test_several_ranges_are_answered_in_several_parts():
    found = hit("Range: bytes=0-1, 5-6")

    assert (found.head.status, found.span) == (206, None)
    assert [span for _, span in found.multipart.parts] == [Span(0, 2), Span(5, 7)]


PART = 'Content-Range: bytes 2-5/10\nContent-Length: 4\nETag: "a"'


def part(headers: str = PART, **options) -> StoredEntry:
    asked = request(headers="Range: bytes=2-5")
    return replace(stored(f"{date()}\n{FRESH}\n{headers}", asked=asked, status=206, **options), body_length=4)


def test_rfc9111_3_3_a_stored_part_answers_ranges_inside_it():
    found = look_up(request(headers="Range: bytes=3-4"), [part()], OPTIONS, NOW + 10)

    assert isinstance(found, Hit)
    assert (found.head.status, found.span, found.reason) == (206, Span(1, 3), Reason.FRESH)
    assert get(found.head.fields, b"content-range") == b"bytes 3-4/10"
    assert get(found.head.fields, b"content-length") == b"2"
    assert get(found.head.fields, b"age") == b"10"


@pytest.mark.parametrize(
    "headers",
    [
        "Range: bytes=1-4",
        "Range: bytes=3-6",
        "Range: bytes=2-3, 4-5",
        'Range: bytes=3-4\nIf-Range: "b"',
        'Range: bytes=3-4\nIf-None-Match: "a"',
        "Range: bytes=20-",
        "Range: lines=1-2",
    ],
)
def test_what_a_stored_part_cannot_answer_is_forwarded_as_it_is(headers):
    found = look_up(request(headers=headers), [part()], OPTIONS, NOW + 10)

    assert isinstance(found, Forward)
    assert found.completes is None
    assert found.request.fields == request(headers=headers).fields


def test_a_part_whose_body_has_another_length_than_it_says_answers_nothing_and_is_replaced():
    wrong = replace(part(), body_length=5)
    ranged = look_up(request(headers="Range: bytes=3-4"), [wrong], OPTIONS, NOW)
    whole = look_up(request(), [wrong], OPTIONS, NOW)

    for found in (ranged, whole):
        assert isinstance(found, Forward)
        assert (found.completes, found.candidates) == (None, [wrong])


def test_a_part_without_a_validator_answers_ranges_and_is_never_completed():
    unknown = part("Content-Range: bytes 0-3/10\nContent-Length: 4")
    asked = request(headers="Range: bytes=2-3")

    assert isinstance(look_up(asked, [unknown], OPTIONS, NOW), Hit)
    assert look_up(request(), [unknown], OPTIONS, NOW).completes is None


def test_a_stale_part_answers_nothing():
    found = look_up(request(headers="Range: bytes=3-4"), [part()], OPTIONS, NOW + 60)

    assert isinstance(found, Forward)


def test_a_range_only_client_that_wants_nothing_forwarded_is_refused_what_no_part_has():
    asked = request(headers="Range: bytes=0-9\nCache-Control: only-if-cached")

    assert isinstance(look_up(asked, [part()], OPTIONS, NOW), Refuse)


def test_a_newer_part_takes_the_place_of_an_older_one():
    old = part()
    plan = look_up(request(headers="Range: bytes=0-5"), [old], OPTIONS, NOW)
    newer = response(f'{date()}\n{FRESH}\nContent-Range: bytes 0-5/10\nETag: "a"', status=206)
    outcome = judged(plan, newer)

    assert isinstance(outcome, Store)
    assert outcome.remove == [old.id]


def test_rfc9110_13_2_2_if_none_match_comes_before_the_range():
    assert hit('Range: bytes=0-1\nIf-None-Match: "a"').head.status == 304
    assert hit('Range: bytes=0-1\nIf-None-Match: "b"').head.status == 206


def test_only_a_whole_200_of_known_length_has_ranges():
    assert hit("Range: bytes=0-1", status=404).head.status == 404
    assert hit("Range: bytes=0-1", length=None).head.status == 200
