"""Parts of a stored response: byte ranges (RFC 9110 §14), and whether the client may have them (§13.1.5)."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sluicegate.core.caching.decisions import Multipart, Span
from sluicegate.core.caching.fields.directives import date_of, parse_date
from sluicegate.core.caching.validation.conditions import CONTENT_FIELDS, OF_THESE_BYTES
from sluicegate.core.http import FieldList, RequestHead, ResponseHead, get, get_all, without

_RANGE = re.compile(rb"[ \t]*(?P<first>\d*)-(?P<last>\d*)[ \t]*\Z")
_MAX_DIGITS = 18
"""More digits than any length has; Python refuses to read numbers of thousands of them."""
_MAX_RANGES = 16
"""Ranges in one request; more, or ones that overlap, are a mistake or an attack (RFC 9110 §17.15), and ignored."""
_BOUNDARY_LENGTH = 32
_ENDLESS = 10**_MAX_DIGITS
"""Longer than anything that can be asked for."""


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """No range begins before the end."""


def wanted_parts(request: RequestHead, length: int, stored: ResponseHead) -> tuple[Span, ...] | Unsatisfiable | None:
    """What to send of a representation of `length` bytes, in the order asked for; None for all of it.

    Unknown units and malformed ranges are ignored (RFC 9110 §14.2), as are ranges of another version than the client
    has (§13.1.5).
    """
    wanted = get(request.fields, b"range")
    if wanted is None or request.method != "GET":
        return None
    if (condition := get(request.fields, b"if-range")) is not None and not _same_version(condition, stored):
        return None
    unit, _, listed = wanted.partition(b"=")
    members = [member for member in listed.split(b",") if member.strip()]
    if unit.lower() != b"bytes" or not 0 < len(members) <= _MAX_RANGES:
        return None
    found = [_asked(member, length) for member in members]
    if None in found:
        return None
    spans = tuple(span for span in found if isinstance(span, Span))
    if not spans:
        return Unsatisfiable()
    return None if _overlap(spans) else spans


def from_first_to_last(request: RequestHead, stored: ResponseHead) -> Span | None:
    """The one range that is asked for, if it says where it begins and ends: that depends on no length."""
    spans = wanted_parts(request, _ENDLESS, stored)
    return spans[0] if isinstance(spans, tuple) and len(spans) == 1 and spans[0].end < _ENDLESS else None


def partial(fields: FieldList, span: Span, length: int | None) -> ResponseHead:
    """A 206 that carries `span` of a body of `length` bytes, None where that is not known (RFC 9110 §15.3.7)."""
    framed = [(b"Content-Length", b"%d" % (span.end - span.start)), (b"Content-Range", _content_range(span, length))]
    return ResponseHead(206, b"Partial Content", [*without(fields, OF_THESE_BYTES), *framed])


def multipart(fields: FieldList, spans: Sequence[Span], length: int, seed: str) -> tuple[ResponseHead, Multipart]:
    """A 206 that carries several spans of a body of `length` bytes (RFC 9110 §14.6, §15.3.7.2).

    The boundary is made from `seed`, so that the same request gets the same bytes.
    """
    boundary = hashlib.sha256(f"{seed} {spans}".encode()).hexdigest()[:_BOUNDARY_LENGTH].encode()
    kinds = get_all(fields, b"content-type")
    kind = b"Content-Type: %b\r\n" % kinds[0] if kinds else b""
    parts = tuple(
        (b"\r\n--%b\r\n%bContent-Range: %b\r\n\r\n" % (boundary, kind, _content_range(span, length)), span)
        for span in spans
    )
    body = Multipart(parts, b"\r\n--%b--\r\n" % boundary)
    framed = [
        (b"Content-Type", b"multipart/byteranges; boundary=" + boundary),
        (b"Content-Length", b"%d" % body.length),
    ]
    plain = without(fields, (*OF_THESE_BYTES, b"content-type"))
    return ResponseHead(206, b"Partial Content", [*plain, *framed]), body


def unsatisfiable(fields: FieldList, length: int) -> ResponseHead:
    """A 416 that says how long the body is (RFC 9110 §15.5.17)."""
    bodyless = without(fields, CONTENT_FIELDS)
    told = [(b"Content-Length", b"0"), (b"Content-Range", b"bytes */%d" % length)]
    return ResponseHead(416, b"Range Not Satisfiable", [*bodyless, *told])


def _asked(member: bytes, length: int) -> Span | Unsatisfiable | None:
    match = _RANGE.match(member)
    return None if match is None else _span(match["first"], match["last"], length)


def _overlap(spans: Sequence[Span]) -> bool:
    ordered = sorted(spans, key=lambda span: span.start)
    return any(before.end > after.start for before, after in pairwise(ordered))


def _content_range(span: Span, length: int | None) -> bytes:
    return b"bytes %d-%d/%b" % (span.start, span.end - 1, b"*" if length is None else b"%d" % length)


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
