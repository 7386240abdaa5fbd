import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.caching.decisions import Span
from sluicegate.core.caching.parts.ranges import Unsatisfiable, multipart, partial, unsatisfiable, wanted_parts
from support.messages import fields, request, response

LENGTH = 10
MODIFIED, LATER = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"
STORED = f'ETag: "v1"\nLast-Modified: {MODIFIED}\nDate: {LATER}'


def wanted(headers: str, *, method: str = "GET", length: int = LENGTH, stored: str = STORED):
    return wanted_parts(request(headers=headers, method=method), length, response(stored))


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-5", (2, 6)),
        ("bytes=2-", (2, 10)),
        ("bytes=9-99", (9, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("Bytes= 2-5 ", (2, 6)),
    ],
)
def test_rfc9110_14_1_2_a_single_range_is_taken_as_far_as_there_are_bytes(asked, span):
    assert wanted(f"Range: {asked}") == (Span(*span),)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_rfc9110_14_1_2_a_range_behind_the_end_cannot_be_satisfied(asked):
    assert wanted(f"Range: {asked}") == Unsatisfiable()


def test_an_empty_body_has_no_range():
    assert wanted("Range: bytes=0-", length=0) == Unsatisfiable()


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=5-2",
        "bytes=-",
        "bytes=x-2",
        "bytes",
        "lines=0-1",
        "",
        "bytes=--1",
        f"bytes=0-{'9' * 5000}",
    ],
)
def test_rfc9110_14_2_what_is_malformed_several_or_of_another_unit_is_ignored(asked):
    assert wanted(f"Range: {asked}") is None


def test_rfc9110_14_2_ranges_are_for_get_only():
    assert wanted("Range: bytes=0-1", method="HEAD") is None


@pytest.mark.parametrize(
    ("condition", "stored", "holds"),
    [
        ('"v1"', STORED, True),
        ('"v2"', STORED, False),
        ('W/"v1"', 'ETag: W/"v1"', False),
        ('"v1"', 'ETag: W/"v1"', False),
        (MODIFIED, STORED, True),
        (LATER, STORED, False),
        (MODIFIED, f"Last-Modified: {MODIFIED}\nDate: {MODIFIED}", False),
        (MODIFIED, f"Date: {LATER}", False),
        ("nonsense", STORED, False),
    ],
)
def test_rfc9110_13_1_5_if_range_needs_the_same_strong_validator(condition, stored, holds):
    part = wanted(f"Range: bytes=0-1\nIf-Range: {condition}", stored=stored)

    assert part == ((Span(0, 2),) if holds else None)


def test_rfc9110_15_3_7_a_206_says_which_bytes_it_carries():
    head = partial(fields("Content-Length: 10\nContent-Type: text/plain\nAge: 1"), Span(2, 6), LENGTH)

    assert (head.status, head.reason) == (206, b"Partial Content")
    assert head.fields == fields("Content-Type: text/plain\nAge: 1\nContent-Length: 4\nContent-Range: bytes 2-5/10")


def test_rfc9110_15_5_17_a_416_says_how_long_the_body_is():
    head = unsatisfiable(fields('Content-Length: 10\nContent-Type: text/plain\nETag: "v1"'), LENGTH)

    assert (head.status, head.reason) == (416, b"Range Not Satisfiable")
    assert head.fields == fields('ETag: "v1"\nContent-Length: 0\nContent-Range: bytes */10')


@given(asked=st.binary(max_size=12).map(lambda tail: b"bytes=" + tail), length=st.integers(0, 30))
def test_every_range_lies_within_the_body(asked, length):
    asking = request().with_fields([(b"Range", asked)])

    match wanted_parts(asking, length, response()):
        case (Span(), *_) as spans:
            assert all(0 <= span.start < span.end <= length for span in spans)
        case other:
            assert other is None or isinstance(other, Unsatisfiable)


@pytest.mark.parametrize(
    ("asked", "spans"),
    [
        ("bytes=0-1,4-5", [(0, 2), (4, 6)]),
        ("bytes=8-9, 0-1", [(8, 10), (0, 2)]),
        ("bytes=0-1, , -2", [(0, 2), (8, 10)]),
        ("bytes=0-1, 20-30", [(0, 2)]),
    ],
)
def test_several_ranges_come_in_the_order_asked_for_but_for_those_that_are_not_there(asked, spans):
    assert wanted(f"Range: {asked}") == tuple(Span(*span) for span in spans)


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-5,3-4", "bytes=0-,0-", "bytes=0-1,x", "bytes=" + ",".join(f"{n}-{n}" for n in range(17)), "bytes=,"],
)
def test_rfc9110_17_15_many_or_overlapping_ranges_are_ignored(asked):
    assert wanted(f"Range: {asked}", length=100) is None


def test_several_ranges_none_of_which_is_there_cannot_be_satisfied():
    assert wanted("Range: bytes=20-, 30-") == Unsatisfiable()


def test_rfc9110_14_6_several_parts_each_say_which_bytes_they_are():
    stored = fields("Content-Length: 10\nContent-Type: text/plain\nAge: 1")
    head, body = multipart(stored, (Span(0, 2), Span(4, 5)), LENGTH, "seed")
    content = b"".join(heading + b"0123456789"[span.start : span.end] for heading, span in body.parts) + body.end
    kind = next(value for name, value in head.fields if name == b"Content-Type")
    boundary = kind.removeprefix(b"multipart/byteranges; boundary=")

    assert head.status == 206
    assert (b"Content-Length", b"%d" % len(content)) in head.fields
    assert body.length == len(content)
    assert content.split(b"\r\n--" + boundary) == [
        b"",
        b"\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01",
        b"\r\nContent-Type: text/plain\r\nContent-Range: bytes 4-4/10\r\n\r\n4",
        b"--\r\n",
    ]
