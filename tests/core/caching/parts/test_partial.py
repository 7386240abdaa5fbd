import pytest

from sluicegate.core.caching.decisions import Span
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.parts.partial import (
    MAX_PARTS,
    Part,
    asked_inside,
    completion,
    may_be_stored,
    part_of,
    stored_part,
    strong_validator,
    superseded,
)
from support.messages import request, response

MODIFIED, LATER = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"
RANGED = request(headers="Range: bytes=0-3")


def test_rfc9110_14_4_content_range_says_which_bytes_of_how_many():
    assert part_of(response("Content-Range: bytes 2-5/10", status=206)) == Part(Span(2, 6), 10)


@pytest.mark.parametrize(
    "told",
    [
        "",
        "Content-Range: bytes 5-2/*",
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


@pytest.mark.parametrize("length", [b"5", b"2", b"0", b"-1", b"x", b"3, 3"])
def test_a_part_whose_length_contradicts_its_range_is_not_kept(length):
    told = f"Content-Range: bytes 0-3/10\nContent-Length: {length.decode()}\nETag: x"

    assert not may_be_stored(RANGED, response(told, status=206))


def entry(headers: str, length: int | None) -> StoredEntry:
    return StoredEntry("1", RANGED, response(headers, status=206), 0, 0, length)


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("bytes 4-9/10", Part(Span(4, 9), 9, certain=False)),
        ("bytes 4-9/20", Part(Span(4, 9), 20, certain=False)),
        ("bytes 4-9/*", Part(Span(4, 9), None, certain=False)),
    ],
)
def test_a_part_one_byte_shorter_than_it_says_begins_and_ends_where_it_says(told, read):
    headers = f"Content-Range: {told}\nContent-Length: 5"

    assert may_be_stored(RANGED, response(headers, status=206))
    assert stored_part(entry(headers, 5)) == read


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ("Content-Range: bytes 4-9/10\nContent-Length: 5\nContent-Encoding: gzip", 5),
        ("Content-Range: bytes 4-9/10", 5),
        ("Content-Range: bytes 4-9/10\nContent-Length: 4", 4),
        ("Content-Range: bytes 4-9/10\nContent-Length: 7", 7),
        ("Content-Range: bytes 4-4/10\nContent-Length: 0", 0),
        ("Content-Range: bytes 4-9/10\nContent-Length: 6", None),
    ],
)
def test_no_other_contradiction_is_read_as_anything(headers, length):
    assert stored_part(entry(headers, length)) is None


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=6-8", Span(6, 9)),
        ("bytes=6-", Span(6, 9)),
        ("bytes=-1", Span(8, 9)),
        ("bytes=-5", Span(4, 9)),
        ("bytes=3-5", None),
        ("bytes=-6", None),
        ("bytes=4-4,6-6", None),
    ],
)
def test_rfc9111_3_3_what_is_asked_for_has_to_be_inside(asked, span):
    wanted = request(headers=f"Range: {asked}")
    known = entry("Content-Range: bytes 4-8/9", 5)

    assert asked_inside(wanted, known, Part(Span(4, 9), 9)) == span


@pytest.mark.parametrize(
    ("asked", "span"), [("bytes=4-5", Span(4, 6)), ("bytes=4-", None), ("bytes=-1", None), ("bytes=8-9", None)]
)
def test_of_a_length_that_is_not_known_only_ranges_with_both_ends_are_inside(asked, span):
    unknown = entry("Content-Range: bytes 4-8/*", 5)

    assert asked_inside(request(headers=f"Range: {asked}"), unknown, Part(Span(4, 9), None)) == span


def test_neither_a_miscounted_part_nor_one_of_unknown_length_is_completed():
    for told in ("bytes 0-5/10", "bytes 0-4/*"):
        part = entry(f'Content-Range: {told}\nContent-Length: 5\nETag: "a"', 5)
        assert completion(request(), part, stored_part(part)) is None


def kept(name: str, told: str, at: float, etag: str = '"a"') -> StoredEntry:
    return StoredEntry(name, RANGED, response(f"Content-Range: bytes {told}\nETag: {etag}", status=206), at, at)


def test_parts_of_one_version_are_kept_beside_one_another():
    stored = [kept("other", "0-4/10", 1, '"b"'), kept("inside", "5-6/10", 2), kept("beside", "0-1/10", 3)]
    whole = StoredEntry("whole", RANGED, response('ETag: "a"'), 0, 0)

    new = kept("", "4-8/10", 4).response
    assert sorted(superseded(new, [*stored, whole])) == ["inside", "other"]
    assert superseded(kept("", "4-8/10", 4, 'W/"a"').response, [kept("weak", "0-1/10", 3, 'W/"a"')]) == ["weak"]


def test_of_too_many_parts_the_oldest_go():
    stored = [kept(str(number), f"{number}-{number}/1000", number) for number in range(MAX_PARTS + 1)]

    assert superseded(kept("", "900-901/1000", 99).response, stored) == ["1", "0"]
