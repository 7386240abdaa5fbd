"""Header sections as they are stored, updated by a 304 and given to the client (RFC 9111 §3.1, §3.2, §5.1)."""

from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.fields.control import control_of
from sluicegate.core.caching.fields.directives import Directives, date_in, date_of, format_date
from sluicegate.core.http import FieldList, ResponseHead, end_to_end, without

_NEVER_STORED = frozenset({b"trailer"})
"""Trailers are not stored, so they are not announced either."""
_DATE = frozenset({b"date"})
_ETAG = frozenset({b"etag"})

_NOT_UPDATED = frozenset(
    {
        b"content-digest",
        b"content-encoding",
        b"content-length",
        b"content-md5",
        b"content-range",
        b"content-type",
    }
)
"""They describe the stored body, which a 304 leaves as it is (§3.2); in a 304 they are about its own, or a default."""


def stored_form(
    response: ResponseHead, directives: Directives, options: CacheOptions, response_time: float
) -> ResponseHead:
    """The response as it is stored: no field of one connection only, none that it forbids to store, and dated."""
    forbidden = _NEVER_STORED | directives.field_names("no-cache")
    if options.shared:
        forbidden |= directives.field_names("private")
    stored = response.end_to_end(forbidden)
    if date_in(stored, b"date") is None:
        stored = stored.end_to_end(_DATE, [(b"Date", format_date(response_time))])
    return stored.anew()


def freshened(
    stored: ResponseHead, validation: ResponseHead, options: CacheOptions, response_time: float
) -> ResponseHead:
    """The stored head with the fields of the 304 that validated it (§3.2).

    A weak tag stays one: servers weaken the tag of what they compress, and not that of the 304 about it, which says
    nothing of the bytes that are stored.
    """
    weakened = stored.get(b"etag") == b"W/" + (validation.get(b"etag") or b"")
    news = end_to_end(validation.fields, _NOT_UPDATED | _ETAG if weakened else _NOT_UPDATED)
    if date_of(news, b"date") is None:
        news = [*without(news, [b"date"]), (b"Date", format_date(response_time))]
    replaced = {name.lower() for name, _ in news} | {b"age"}
    merged = ResponseHead(stored.status, stored.reason, without(stored.fields, replaced) + news)
    return stored_form(merged, control_of(merged, options.targeted).directives, options, response_time)


def without_age(fields: FieldList) -> FieldList:
    """The fields without the Age that the response came with."""
    return without(fields, (b"age",))


def with_age(fields: FieldList, age_s: int) -> FieldList:
    """The fields with Age as it is now (§5.1)."""
    return [*without_age(fields), (b"Age", b"%d" % age_s)]
