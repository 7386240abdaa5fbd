"""What the cache decided, told to the client (Cache-Status, RFC 9211), to the log and to the metrics alike."""

from sluicegate.core.caching.decisions import (
    Again,
    Forward,
    Freshened,
    Hit,
    Join,
    Lookup,
    Outcome,
    Reason,
    Refuse,
    Store,
)
from sluicegate.core.caching.stale import Occasion
from sluicegate.core.caching.status import cache_status
from sluicegate.core.events import CacheDecided
from sluicegate.core.http import ResponseHead
from sluicegate.core.ports import BodyReader, EventSink
from sluicegate.exchange.call import Answer, Call

_STALE = frozenset(occasion.reason for occasion in Occasion) | {Reason.STALE, Reason.STALE_IF_ERROR}
_BYPASSING = frozenset({Reason.CACHE_OFF, Reason.METHOD, Reason.RULE_NEVER})


def tell(
    events: EventSink,
    call: Call,
    lookup: Lookup,
    head: ResponseHead,
    body: BodyReader,
    *,
    outcome: Outcome | None = None,
    status: int | None = None,
    collapsed: bool = False,
    instead: Hit | None = None,
) -> Answer:
    """The answer to `call` with its Cache-Status.

    `outcome` is what was decided about the origin's response and `status` the status that it had, if it was asked.
    `instead` is what was used because the origin, to which the call went, did not answer, or badly.
    `collapsed` says that it was not: the call, which would have gone forward because of `lookup`, shares another's answer.
    """
    call.cache = "collapsed" if collapsed else _word(instead or lookup, outcome)
    reason = (instead or lookup).reason if outcome is None or isinstance(outcome, Again) else outcome.reason
    stored = isinstance(outcome, Store | Join | Freshened)
    if call.background or events.wants(CacheDecided):
        url, word = call.request.url, "refresh" if call.background else call.cache
        events.emit(CacheDecided(call.request_id, url, word, reason.token, reason.section, stored))
    else:
        call.reason, call.stored = reason.token, stored
    told = cache_status(lookup, outcome, status=status, collapsed=collapsed, key=call.ruled_key, instead=instead)
    return Answer(ResponseHead(head.status, head.reason, [*head.fields, (b"Cache-Status", told)]), body)


def hit_word(reason: Reason) -> str:
    """The access line's `cache` for a stored response."""
    return "stale" if reason in _STALE else "hit"


def _word(lookup: Lookup, outcome: Outcome | None) -> str:
    """The access line's `cache`."""
    if isinstance(lookup, Hit):
        return hit_word(lookup.reason)
    if isinstance(lookup, Refuse):
        return "none"
    if isinstance(outcome, Freshened):
        return "revalidated"
    return "bypass" if isinstance(lookup, Forward) and lookup.reason in _BYPASSING else "miss"
