"""Asking the origin which of the stored variants answers a request that selects none of them (RFC 9111 §4.1, §4.3.1).

What Vary names was different when they were stored, but the origin may choose one of them all the same: it is told
which there are by their entity tags, and says with a 304 which one it would send.

Only strong tags tell variants apart: an origin that packs its answers may give all of them the same weak one. Even the
strong ones of some are the same, so a coding that the client does not name as acceptable is not asked about.
"""

from collections.abc import Sequence
from http import HTTPStatus

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.selection import alternatives
from sluicegate.core.caching.validation import conditions
from sluicegate.core.http import RequestHead, ResponseHead, get, get_all

MAX_ASKED = 8
"""Variants that one request asks about, those that came last."""
MAX_STORED = 128
"""Responses that are stored under one key."""


def crowded_out(entries: Sequence[StoredEntry]) -> list[str]:
    """The ids of what has to go before one more is stored beside `entries`: what came first.

    Each request compares itself with all that is stored under its key.
    """
    surplus = len(entries) + 1 - MAX_STORED
    return [entry.id for entry in sorted(entries, key=_arrival)[:surplus]] if surplus > 0 else []


def worth_asking(
    request: RequestHead, entries: Sequence[StoredEntry], selected: Sequence[StoredEntry]
) -> list[StoredEntry]:
    """The stored responses that the request does not select and that the origin can be asked about, the latest first.

    None for a client that has conditions of its own: the origin can tell it more than the cache knows.
    """
    if len(entries) == len(selected) or any(get(request.fields, name) is not None for name in conditions.PRECONDITIONS):
        return []
    known = {entry.id for entry in selected}
    others = [entry for entry in entries if entry.id not in known and _can_be_confirmed(request, entry)]
    return sorted(others, key=_arrival, reverse=True)[:MAX_ASKED]


def confirmed(response: ResponseHead, asked: Sequence[StoredEntry]) -> StoredEntry | None:
    """The one that a 304 names by its entity tag; without a tag, the only one that was asked about (§4.3.4)."""
    if not response.get_all(b"etag"):
        return asked[0] if len(asked) == 1 else None
    tag = conditions.tag_of(response)
    return next((entry for entry in asked if conditions.tag_of(entry.response) == tag), None)


def _can_be_confirmed(request: RequestHead, entry: StoredEntry) -> bool:
    tag = conditions.tag_of(entry.response)
    if entry.response.status != HTTPStatus.OK or tag is None or not tag.startswith(b'"'):
        return False
    codings = [
        coding.strip().lower()
        for line in get_all(entry.response.fields, b"content-encoding")
        for coding in line.split(b",")
    ]
    return not codings or alternatives.acceptable(get_all(request.fields, b"accept-encoding")).issuperset(codings)


def _arrival(entry: StoredEntry) -> float:
    return entry.response_time
