"""Parts of a stored response: single byte ranges (RFC 9110 §14), and whether the client may have one (§13.1.5)."""

import re
from dataclasses import dataclass

from sluicegate.core.caching.conditions import CONTENT_FIELDS
from sluicegate.core.caching.decisions import Span
from sluicegate.core.caching.directives import date_of, parse_date
from sluicegate.core.http import FieldList, RequestHead, ResponseHead, get, without

_SINGLE = re.compile(rb"bytes=[ \t]*(?P<first>\d*)-(?P<last>\d*)[ \t]*\Z", re.IGNORECASE)
_MAX_DIGITS = 18
"""More digits than any length has; Python refuses to read numbers of thousands of them."""


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """The range begins behind the end."""


def wanted_part(request: RequestHead, length: int, stored: ResponseHead) -> Span | Unsatisfiable | None:
    """What to send of a stored 200 with a body of `length` bytes; None for all of it.

    Several ranges, unknown units and malformed ranges are ignored (RFC 9110 §14.2), as is a range of another version
    than the client has (§13.1.5).
    """
    wanted = get(request.fields, b"range")
    if wanted is None or request.method != "GET":
        return None
    if (condition := get(request.fields, b"if-range")) is not None and not _same_version(condition, stored):
        return None
    match = _SINGLE.match(wanted)
    return None if match is None else _span(match["first"], match["last"], length)


def partial(fields: FieldList, span: Span, length: int) -> ResponseHead:
    """A 206 that carries `span` of a body of `length` bytes (RFC 9110 §15.3.7)."""
    content_range = b"bytes %d-%d/%d" % (span.start, span.end - 1, length)
    framed = [(b"Content-Length", b"%d" % (span.end - span.start)), (b"Content-Range", content_range)]
    return ResponseHead(206, b"Partial Content", [*without(fields, (b"content-length", b"content-range")), *framed])


def unsatisfiable(fields: FieldList, length: int) -> ResponseHead:
    """A 416 that says how long the body is (RFC 9110 §15.5.17)."""
    bodyless = without(fields, CONTENT_FIELDS)
    told = [(b"Content-Length", b"0"), (b"Content-Range", b"bytes */%d" % length)]
    return ResponseHead(416, b"Range Not Satisfiable", [*bodyless, *told])


def _span(first: bytes, last: bytes, length: int) -> Span | Unsatisfiable | None:
    """The range as far as there are bytes (RFC 9110 §14.1.2); None when it is malformed."""
    if max(len(first), len(last)) > _MAX_DIGITS or not (first or last):
        return None
    if not first:
        suffix = min(int(last), length)
        return Span(length - suffix, length) if suffix else Unsatisfiable()
    start = int(first)
    if last and int(last) < start:
        return None
    end = min(int(last) + 1, length) if last else length
    return Span(start, end) if start < length else Unsatisfiable()


def _same_version(condition: bytes, stored: ResponseHead) -> bool:
    """Whether If-Range names what is stored, by a strong validator (RFC 9110 §13.1.5)."""
    if condition.startswith((b'"', b"W/")):
        return condition == get(stored.fields, b"etag") and condition.startswith(b'"')
    modified, date = date_of(stored.fields, b"last-modified"), date_of(stored.fields, b"date")
    return modified is not None and date is not None and modified < date and parse_date(condition) == modified
