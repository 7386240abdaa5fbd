"""On what occasions a stored response may be used stale, and until when."""

from bisect import bisect_left
from dataclasses import dataclass

from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.facts import Facts
from sluicegate.core.caching.policy import heeded
from sluicegate.core.caching.stale import Occasion, permission
from sluicegate.core.http import RequestHead

_EVER_S = 10 * 365 * 86_400
"""What is allowed for longer than this is taken to be allowed for ever."""
_OCCASIONS = {
    Occasion.REFRESH: "while it is validated",
    Occasion.ERROR: "when the origin answers with an error (500, 502, 503, 504)",
    Occasion.UNREACHABLE: "when the origin cannot be reached",
    Occasion.SLOW: "when the origin takes too long to answer",
    Occasion.LIMITED: "when the limiter refuses",
    Occasion.QUEUE: "when the wait at the limiter is long",
    Occasion.OFFLINE: "when the proxy is offline",
}


@dataclass(frozen=True, slots=True)
class Permission:
    """An occasion on which this request may be answered with it once it is stale."""

    occasion: str
    text: str
    reason: str
    section: str
    up_to_s: int | None
    """The staleness at which that ends, in seconds; None: never."""


def permissions(request: RequestHead, facts: Facts, options: CacheOptions, now: float) -> list[Permission]:
    """The occasions that can arise under these options, from `now` (Unix seconds) on."""
    arising = [occasion for occasion in Occasion if _arises(occasion, options)]
    found = [_permission(request, facts, occasion, options, now) for occasion in arising]
    return [one for one in found if one is not None]


def _arises(occasion: Occasion, options: CacheOptions) -> bool:
    if options.offline:
        return occasion is Occasion.OFFLINE
    if occasion is Occasion.OFFLINE:
        return False
    needed = {Occasion.SLOW: options.stale.answer_after_s, Occasion.QUEUE: options.stale.queue_s}
    return occasion not in needed or needed[occasion] is not None


def _permission(
    request: RequestHead, facts: Facts, occasion: Occasion, options: CacheOptions, now: float
) -> Permission | None:
    wanted = heeded(request, options)
    expires = now + facts.ttl(now)

    def refused(staleness: int) -> bool:
        return permission(facts, wanted, occasion, options, expires + staleness) is None

    first = max(0, -facts.ttl(now))
    reason = permission(facts, wanted, occasion, options, expires + first)
    if reason is None:
        return None
    length = bisect_left(range(first, _EVER_S), True, key=refused)
    end = None if length == _EVER_S - first else first + length
    return Permission(occasion.name.lower(), _OCCASIONS[occasion], reason.token, reason.section, end)
