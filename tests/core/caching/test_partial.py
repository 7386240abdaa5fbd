import pytest

from sluicegate.core.caching.decisions import Span
from sluicegate.core.caching.partial import Part, may_be_stored, part_of, strong_validator
from support.messages import request, response

MODIFIED, LATER = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"
RANGED = request(headers="Range: bytes=0-3")


def test_rfc9110_14_4_content_range_says_which_bytes_of_how_many():
    assert part_of(response("Content-Range: bytes 2-5/10", status=206)) == Part(Span(2, 6), 10)


@pytest.mark.parametrize(
    "told",
    [
        "",
        "Content-Range: bytes 2-5/*",
        "Content-Range: bytes */10",
        "Content-Range: bytes 5-2/10",
        "Content-Range: bytes 2-10/10",
        "Content-Range: lines 2-5/10",
        "Content-Range: bytes 2-5/10\nContent-Range: bytes 2-5/10",
        f"Content-Range: bytes 2-{'9' * 5000}/10",
        "Content-Type: multipart/byteranges; boundary=x",
    ],
)
def test_anything_else_is_no_part(told):
    assert part_of(response(told, status=206)) is None


def test_only_a_206_is_a_part():
    assert part_of(response("Content-Range: bytes 2-5/10", status=200)) is None


@pytest.mark.parametrize(
    ("fields", "validator"),
    [
        ('ETag: "a"', b'"a"'),
        ('ETag: W/"a"', None),
        (f"Last-Modified: {MODIFIED}\nDate: {LATER}", MODIFIED.encode()),
        (f"Last-Modified: {MODIFIED}\nDate: {MODIFIED}", None),
        (f"Last-Modified: {MODIFIED}", None),
        (f'ETag: W/"a"\nLast-Modified: {MODIFIED}\nDate: {LATER}', None),
        ("", None),
    ],
)
def test_rfc9110_8_8_what_is_a_strong_validator(fields, validator):
    assert strong_validator(response(fields)) == validator


def test_a_part_is_kept_if_it_was_asked_for_and_says_where_it_belongs():
    told = "Content-Range: bytes 0-3/10\nContent-Length: 4"

    assert may_be_stored(RANGED, response(told, status=206))
    assert not may_be_stored(request(), response(told, status=206))
    assert not may_be_stored(RANGED, response("Content-Length: 4", status=206))


def test_a_part_whose_length_contradicts_its_range_is_not_kept():
    assert not may_be_stored(RANGED, response('Content-Range: bytes 0-3/10\nContent-Length: 5\nETag: "a"', status=206))
