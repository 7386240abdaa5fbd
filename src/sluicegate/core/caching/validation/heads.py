"""What the answer to a HEAD request says of stored answers to GET (RFC 9111 §4.3.5)."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

from sluicegate.core.caching.decisions import CacheOptions, Reason
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.control import control_of
from sluicegate.core.caching.selection import vary
from sluicegate.core.caching.storing import refusal
from sluicegate.core.caching.validation.headers import freshened
from sluicegate.core.http import RequestHead, ResponseHead

_TELLS = frozenset({None, Reason.NO_USE})
"""Why a GET's answer would be stored or not, where a HEAD's may change what is stored."""


def learned(
    request: RequestHead,
    stored: Sequence[StoredEntry],
    response: ResponseHead,
    options: CacheOptions,
    times: tuple[float, float],
) -> tuple[list[StoredEntry], list[str]]:
    """The `stored` responses with the newer fields, and the ids of those that are outdated.

    `stored` could have been chosen for the request; `times` are when it was sent and when the response came (Unix
    seconds). Only a 200 tells something, and only one that might have been stored, were it a GET's.
    """
    if request.method != "HEAD" or response.status != HTTPStatus.OK:
        return [], []
    as_get = RequestHead("GET", request.origin, request.target, request.fields)
    if refusal(as_get, response, control_of(response, options.targeted), options, times[1]) not in _TELLS:
        return [], []
    updates, outdated = [], []
    for entry in stored:
        if not _is_the_same(entry, response):
            outdated.append(entry.id)
        elif entry.response.status == HTTPStatus.OK:
            head = freshened(entry.response, response, options, times[1])
            selecting = vary.reselected(entry, request, head)
            updates.append(
                replace(entry, request=selecting, response=head, request_time=times[0], response_time=times[1])
            )
    return updates, outdated


def _is_the_same(entry: StoredEntry, response: ResponseHead) -> bool:
    """Whether the validators and the length that the response has are those of the stored one."""
    for name in (b"etag", b"last-modified"):
        told = response.get_all(name)
        if told and told != entry.response.get_all(name):
            return False
    length = response.get_all(b"content-length")
    return not length or entry.response.status != HTTPStatus.OK or length == [b"%d" % (entry.body_length or 0)]
