"""Conditional requests: ours towards the origin (RFC 9111 §4.3.1) and the client's against what is stored (§4.3.2)."""

import re
from collections.abc import Sequence
from http import HTTPStatus

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.directives import date_in, date_of, parse_date
from sluicegate.core.http import FieldList, RequestHead, ResponseHead, get, get_all, without

PRECONDITIONS = (b"if-none-match", b"if-modified-since")
"""The client's conditions that a cache may judge (§4.3.2)."""
FOR_THE_ORIGIN = frozenset({b"if-match", b"if-unmodified-since"})
"""Conditions that only the origin may judge (§4.3.2)."""

OF_THESE_BYTES = (b"content-length", b"content-range", b"content-digest", b"content-md5")
"""They describe just the bytes that the response with them carries (RFC 9530 §2); not another part of the same."""
CONTENT_FIELDS = (*OF_THESE_BYTES, b"content-type", b"content-encoding", b"content-language")
"""They describe the body of the response that has them."""

_SUCCESS = range(200, 300)
_WHOLE_TAG = re.compile(rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"\Z')
_ENTITY_TAG = re.compile(rb'(?:W/)?"[^"]*"|[^\s,]+')


def has_validator(response: ResponseHead) -> bool:
    """Whether the origin can be asked if the response is still good."""
    return bool(response.get_all(b"etag")) or date_in(response, b"last-modified") is not None


def conditional(request: RequestHead, entry: StoredEntry | None, others: Sequence[StoredEntry] = ()) -> RequestHead:
    """The request that validates `entry`, its validators in the place of the client's conditions.

    Without one it asks about the entity tags of `others`. What the client has itself is not asked about as well, which
    §4.3.2 allows: an answer that confirms that would leave here what is old.
    """
    fields = without(request.fields, PRECONDITIONS)
    etag = get(entry.response.fields, b"etag") if entry is not None else None
    tags = [tag for other in others if (tag := tag_of(other.response)) is not None] if etag is None else [etag]
    if tags:
        fields.append((b"If-None-Match", b", ".join(dict.fromkeys(tags))))
    if entry is not None and (modified := get_all(entry.response.fields, b"last-modified")):
        fields.append((b"If-Modified-Since", modified[0]))
    return request.with_fields(fields)


def tag_of(response: ResponseHead) -> bytes | None:
    """The response's entity tag, weak or strong; None without one, and for what is none (RFC 9110 §8.8.3)."""
    tags = get_all(response.fields, b"etag")
    return tags[0] if len(tags) == 1 and _WHOLE_TAG.match(tags[0]) else None


def unmodified_for(request: RequestHead, entry: StoredEntry) -> bool:
    """Whether the client's own condition says that it has the stored response already (RFC 9110 §13.2).

    A response without Last-Modified is as new as its Date (§4.3.2); a part is not judged.
    """
    if entry.response.status not in _SUCCESS or entry.response.status == HTTPStatus.PARTIAL_CONTENT:
        return False
    if (tags := get(request.fields, b"if-none-match")) is not None:
        return _tag_matches(tags, get(entry.response.fields, b"etag"))
    given = get(request.fields, b"if-modified-since")
    now = entry.response_time
    if given is None or (since := parse_date(given, now)) is None:
        return False
    modified = date_of(entry.response.fields, b"last-modified", now)
    if modified is None:
        modified = date_of(entry.response.fields, b"date", now)
    return modified is not None and modified <= since


def not_modified(fields: FieldList) -> ResponseHead:
    """A 304 with the stored fields but for those that describe the body it lacks (RFC 9110 §15.4.5)."""
    return ResponseHead(304, b"Not Modified", without(fields, CONTENT_FIELDS))


def _tag_matches(listed: bytes, stored: bytes | None) -> bool:
    """Weak comparison with each entity tag of a list (RFC 9110 §8.8.3.2)."""
    if listed.strip() == b"*":
        return True
    return stored is not None and stored.removeprefix(b"W/") in {
        tag.removeprefix(b"W/") for tag in _ENTITY_TAG.findall(listed)
    }
