"""An answer from what is stored: its head with its age, for the client's conditions and ranges (RFC 9111 §4, RFC 9110 §13, §14)."""

from collections.abc import Iterable
from http import HTTPStatus

from sluicegate.core.caching.decisions import CacheOptions, Hit, Reason, Span
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.facts import facts_of
from sluicegate.core.caching.parts import partial, ranges
from sluicegate.core.caching.validation import conditions
from sluicegate.core.caching.validation.headers import with_age
from sluicegate.core.http import RequestHead, ResponseHead, get


def hit(
    request: RequestHead, entry: StoredEntry, options: CacheOptions, now: float, reason: Reason | None = None
) -> Hit:
    """Answer from a whole response. `reason` is why it may be used; left out: it is fresh, or the client takes it stale."""
    facts = facts_of(entry, options)
    ttl = facts.ttl(now)
    if reason is None:
        reason = facts.fresh if ttl > 0 else Reason.STALE
    head = answer_from(entry, request, facts.age(now))
    length = entry.body_length
    if head.status != HTTPStatus.OK or length is None:
        return Hit(entry, head, ttl, reason)
    match ranges.wanted_parts(request, length, entry.response):
        case (Span() as span,):
            return Hit(entry, ranges.partial(head.fields, span, length), ttl, reason, span)
        case (Span(), *_) as spans:
            partial_head, body = ranges.multipart(head.fields, spans, length, entry.request.url)
            return Hit(entry, partial_head, ttl, reason, multipart=body)
        case ranges.Unsatisfiable():
            return Hit(entry, ranges.unsatisfiable(head.fields, length), ttl, reason)
        case _:
            return Hit(entry, head, ttl, reason)


def hit_in(
    parts: Iterable[tuple[StoredEntry, Reason | None]], request: RequestHead, options: CacheOptions, now: float
) -> Hit | None:
    """Answer from the first stored part that has all bytes of the one range that the client wants (RFC 9111 §3.3).

    With each part goes why it may be used, as in `hit`.
    """
    for entry, reason in parts:
        if any(get(request.fields, name) is not None for name in conditions.PRECONDITIONS):
            return None
        facts = facts_of(entry, options)
        part = facts.part
        if part is None:
            continue
        if (span := partial.asked_inside(request, entry, part)) is not None:
            total = part.total if part.certain else None
            head = ranges.partial(with_age(entry.response.fields, facts.age(now)), span, total)
            inside = Span(span.start - part.span.start, span.end - part.span.start)
            why = reason or (facts.fresh if facts.ttl(now) > 0 else Reason.STALE)
            return Hit(entry, head, facts.ttl(now), why, inside)
    return None


def answer_from(entry: StoredEntry, request: RequestHead, age_s: int) -> ResponseHead:
    """The stored head with its age; a 304 when the client has the same response already (RFC 9111 §4.3.2)."""
    fields = with_age(entry.response.fields, age_s)
    if conditions.unmodified_for(request, entry):
        return conditions.not_modified(fields)
    return ResponseHead(entry.response.status, entry.response.reason, fields)
