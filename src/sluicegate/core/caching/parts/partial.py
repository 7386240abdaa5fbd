"""Stored parts of a representation: kept, used for ranges inside them, and completed (RFC 9111 §3.3, §3.4)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sluicegate.core.caching.decisions import CacheOptions, Completion, Span
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.directives import date_of
from sluicegate.core.caching.parts import ranges
from sluicegate.core.caching.validation.conditions import OF_THESE_BYTES, PRECONDITIONS
from sluicegate.core.caching.validation.headers import freshened
from sluicegate.core.http import RequestHead, ResponseHead, get, get_all, without

_CONTENT_RANGE = re.compile(rb"bytes +(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)[ \t]*\Z", re.IGNORECASE)
PARTIAL_CONTENT = 206
MAX_PARTS = 16
"""Parts of one variant that are kept beside one another."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which bytes a 206 holds, and of how many if that was told (RFC 9110 §14.4)."""

    span: Span
    total: int | None
    certain: bool = True
    """False when its length contradicts its Content-Range: it is never combined with anything, nor is its total told on."""


def part_of(response: ResponseHead) -> Part | None:
    """The part that a response says it is; None for a whole one, for several parts, and where its place is not told."""
    if response.status != PARTIAL_CONTENT:
        return None
    told = get_all(response.fields, b"content-range")
    match = _CONTENT_RANGE.match(told[0]) if len(told) == 1 else None
    if match is None:
        return None
    first, last = int(match[1]), int(match[2])
    total = None if match[3] == b"*" else int(match[3])
    return Part(Span(first, last + 1), total) if first <= last and (total is None or last < total) else None


def stored_part(entry: StoredEntry) -> Part | None:
    """The part that an entry is, if its body is as long as the part is said to be."""
    part, length = part_of(entry.response), entry.body_length
    if part is None or length is None:
        return None
    return part if length == part.span.end - part.span.start else _miscounted(entry.response, part, length)


def may_be_stored(request: RequestHead, response: ResponseHead) -> bool:
    """Whether a 206 is one part of known place and length, and asked for."""
    part = part_of(response)
    if part is None or get(request.fields, b"range") is None:
        return False
    told = get(response.fields, b"content-length")
    if told is None or told == b"%d" % (part.span.end - part.span.start):
        return True
    return told.isdigit() and _miscounted(response, part, int(told)) is not None


def superseded(part: ResponseHead, stored: Sequence[StoredEntry]) -> list[str]:
    """The ids of those stored parts that a new one makes superfluous.

    That is so for other versions, for what it overlaps, and for the oldest where there would be too many.
    """
    parts = sorted((entry for entry in stored if entry.response.status == PARTIAL_CONTENT), key=_arrival, reverse=True)
    beside = [entry for entry in parts if _goes_beside(part, entry)][: MAX_PARTS - 1]
    return [entry.id for entry in parts if entry not in beside]


def asked_inside(request: RequestHead, entry: StoredEntry, part: Part) -> Span | None:
    """The one range that is asked for, if the part has all of it (RFC 9111 §3.3)."""
    if part.total is None:
        span = ranges.from_first_to_last(request, entry.response)
    else:
        spans = ranges.wanted_parts(request, part.total, entry.response)
        span = spans[0] if isinstance(spans, tuple) and len(spans) == 1 else None
    inside = span is not None and part.span.start <= span.start and span.end <= part.span.end
    return span if inside else None


def _miscounted(response: ResponseHead, part: Part, length: int) -> Part | None:
    """The part as it is where its origin took the position of the last byte for that of the one after it.

    That is the common mistake in counting: the content is one byte shorter than its Content-Range says. It begins where
    it is said to begin, for that is where every client puts it; and it ends with the representation if it is said to. Any
    other contradiction tells nothing, nor does one of coded content.
    """
    plain = get(response.fields, b"content-encoding") is None and get(response.fields, b"content-length") is not None
    if not plain or length == 0 or length != part.span.end - part.span.start - 1:
        return None
    end = part.span.end - 1
    return Part(Span(part.span.start, end), end if part.total == part.span.end else part.total, certain=False)


def _goes_beside(part: ResponseHead, entry: StoredEntry) -> bool:
    new, old = part_of(part), part_of(entry.response)
    validator = strong_validator(part)
    if new is None or old is None or validator is None or validator != strong_validator(entry.response):
        return False
    return new.span.end <= old.span.start or old.span.end <= new.span.start


def _arrival(entry: StoredEntry) -> float:
    return entry.response_time


def strong_validator(response: ResponseHead) -> bytes | None:
    """What tells one version of the bytes from any other: a strong ETag, or a Last-Modified that is one (RFC 9110 §8.8)."""
    etag = get(response.fields, b"etag")
    if etag is not None:
        return etag if etag.startswith(b'"') else None
    modified, date = date_of(response.fields, b"last-modified"), date_of(response.fields, b"date")
    return (
        get(response.fields, b"last-modified")
        if modified is not None and date is not None and modified < date
        else None
    )


def completion(request: RequestHead, entry: StoredEntry, part: Part) -> Completion | None:
    """What to ask for, so that the stored part and the answer are all that `request` wants; None if one answer will not do.

    That is so for a GET of the whole, without conditions, when the part is the beginning or the end.
    """
    fields = request.fields
    if request.method != "GET" or any(get(fields, name) is not None for name in (b"range", *PRECONDITIONS)):
        return None
    validator = strong_validator(entry.response)
    if validator is None or part.total is None or not part.certain:
        return None
    if part.span.start == 0 and part.span.end < part.total:
        missing, asked = Span(part.span.end, part.total), b"bytes=%d-" % part.span.end
    elif part.span.end == part.total:
        missing, asked = Span(0, part.span.start), b"bytes=0-%d" % (part.span.start - 1)
    else:
        return None
    asking = request.with_fields([*without(fields, (b"if-range",)), (b"Range", asked), (b"If-Range", validator)])
    return Completion(request, asking, entry, missing)


def completes(wanted: Completion, response: ResponseHead) -> bool:
    """Whether the response is just what the stored part lacks, of the same version (RFC 9110 §15.3.7.3)."""
    part, stored = part_of(response), stored_part(wanted.entry)
    if part is None or stored is None or part != Part(wanted.missing, stored.total):
        return False
    if get(response.fields, b"content-encoding") != get(wanted.entry.response.fields, b"content-encoding"):
        return False
    validator = strong_validator(wanted.entry.response)
    return get(response.fields, b"etag") == validator or (
        get(response.fields, b"etag") is None and get(response.fields, b"last-modified") == validator
    )


def whole(wanted: Completion, response: ResponseHead, options: CacheOptions, response_time: float) -> ResponseHead:
    """The 200 that the stored part and what completes it are together, with the newer fields (RFC 9111 §3.4)."""
    stored = part_of(wanted.entry.response)
    merged = freshened(wanted.entry.response, response, options, response_time)
    fields = without(merged.fields, OF_THESE_BYTES)
    return ResponseHead(
        200, b"OK", [*fields, (b"Content-Length", b"%d" % (stored.total if stored and stored.total else 0))]
    )
