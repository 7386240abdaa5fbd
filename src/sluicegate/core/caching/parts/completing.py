"""Making a stored part the whole: asking for what it lacks, and joining both (RFC 9111 §3.4)."""

from collections.abc import Sequence

from sluicegate.core.caching import storing
from sluicegate.core.caching.decisions import Again, CacheOptions, Completion, Forward, Join, Reason
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.facts import facts_of
from sluicegate.core.caching.parts import partial
from sluicegate.core.http import RequestHead, ResponseHead

ANSWERS = frozenset({206, 304, 416})
"""What only a request with a range and a condition of our own can be answered with."""


def plan(request: RequestHead, parts: Sequence[StoredEntry], options: CacheOptions) -> Forward:
    """Ask for what one of the stored parts lacks, if that is one range; for all of it otherwise. The largest part first."""
    for entry in sorted(parts, key=lambda entry: entry.body_length or 0, reverse=True):
        part = facts_of(entry, options).part
        if part is not None and (found := partial.completion(request, entry, part)) is not None:
            return Forward(found.request, Reason.RANGE, list(parts), found)
    return Forward(request, Reason.RANGE, list(parts))


def judge(
    asked: Forward, wanted: Completion, response: ResponseHead, options: CacheOptions, times: tuple[float, float]
) -> Join | Again:
    """The whole, if the response is what the stored part lacks; if not, the stored parts are of no use any more.

    `times` are when the request was sent and when the response came (Unix seconds).
    """
    removed = [entry.id for entry in asked.candidates]
    if not partial.completes(wanted, response):
        return Again(Forward(wanted.original, asked.reason), removed)
    head = partial.whole(wanted, response, options, times[1])
    kept = storing.kept_request(wanted.original, head, options, wanted.entry)
    entry = StoredEntry("", kept, head, *times)
    missing = wanted.missing
    part_first = missing.start > 0
    length = missing.end if part_first else missing.end + (wanted.entry.body_length or 0)
    return Join(head, entry, wanted.entry, part_first, length, Reason.COMPLETED, removed)
