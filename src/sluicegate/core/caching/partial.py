"""Stored parts of a representation: kept, used for ranges inside them, and completed (RFC 9111 §3.3, §3.4)."""

import re
from dataclasses import dataclass

from sluicegate.core.caching.conditions import PRECONDITIONS
from sluicegate.core.caching.decisions import CacheOptions, Completion, Span
from sluicegate.core.caching.directives import date_of
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.headers import freshened
from sluicegate.core.http import RequestHead, ResponseHead, get, get_all, without

_CONTENT_RANGE = re.compile(rb"bytes +(\d{1,18})-(\d{1,18})/(\d{1,18})[ \t]*\Z", re.IGNORECASE)
PARTIAL_CONTENT = 206


@dataclass(frozen=True, slots=True)
class Part:
    """Which bytes a 206 holds, and of how many (RFC 9110 §14.4)."""

    span: Span
    total: int


def part_of(response: ResponseHead) -> Part | None:
    """The part that a response is; None for a whole one, for several parts, and where its length is not told."""
    if response.status != PARTIAL_CONTENT:
        return None
    told = get_all(response.fields, b"content-range")
    match = _CONTENT_RANGE.match(told[0]) if len(told) == 1 else None
    if match is None:
        return None
    first, last, total = map(int, match.groups())
    return Part(Span(first, last + 1), total) if first <= last < total else None


def stored_part(entry: StoredEntry) -> Part | None:
    """The part that an entry is, if its body is as long as the part is said to be."""
    part = part_of(entry.response)
    return part if part is not None and entry.body_length == part.span.end - part.span.start else None


def may_be_stored(request: RequestHead, response: ResponseHead) -> bool:
    """Whether a 206 is one part of known place and length, and asked for."""
    part = part_of(response)
    if part is None or get(request.fields, b"range") is None:
        return False
    length = get(response.fields, b"content-length")
    return length is None or length == b"%d" % (part.span.end - part.span.start)


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
    if validator is None:
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
    part, stored = part_of(response), part_of(wanted.entry.response)
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
    fields = without(merged.fields, (b"content-range", b"content-length"))
    return ResponseHead(200, b"OK", [*fields, (b"Content-Length", b"%d" % (stored.total if stored else 0))])
