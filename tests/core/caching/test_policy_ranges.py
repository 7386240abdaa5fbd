"""Ranges from what is stored (RFC 9110 §14, RFC 9111 §3.2)."""

from dataclasses import replace

from sluicegate.core.caching.decisions import Hit, Reason, Span
from sluicegate.core.caching.policy import look_up
from sluicegate.core.http import get
from support.cache_policy import FRESH, NOW, OPTIONS, date, stored
from support.messages import request


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


def test_several_ranges_are_answered_with_the_whole():
    found = hit("Range: bytes=0-1, 5-6")

    assert (found.head.status, found.span) == (200, None)


def test_rfc9110_13_2_2_if_none_match_comes_before_the_range():
    assert hit('Range: bytes=0-1\nIf-None-Match: "a"').head.status == 304
    assert hit('Range: bytes=0-1\nIf-None-Match: "b"').head.status == 206


def test_only_a_whole_200_of_known_length_has_ranges():
    assert hit("Range: bytes=0-1", status=404).head.status == 404
    assert hit("Range: bytes=0-1", length=None).head.status == 200
