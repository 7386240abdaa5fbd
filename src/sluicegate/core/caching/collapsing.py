"""Which requests may wait for one upstream request instead of sending one each, before its answer is known.

A follower gets what it would get had it come right after the answer: `policy.look_up` decides that, as it does for every
stored response. Here is only decided who may wait for whom, so that few wait in vain.
"""

from collections.abc import Sequence

from sluicegate.core.caching import policy
from sluicegate.core.caching.decisions import CacheOptions, Forward, Reason, Revalidate
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.facts import facts_of
from sluicegate.core.caching.fields.directives import Directives
from sluicegate.core.caching.selection import vary
from sluicegate.core.http import RequestHead

_SHARED = frozenset({Reason.URI_MISS, Reason.VARY_MISS, Reason.STALE})
"""Nothing usable is stored; any other reason is the request's own, or the origin wants to be asked each time."""

_DIRECTIVES = frozenset({b"cache-control", b"pragma"})
_PRECONDITIONS = frozenset({b"if-none-match", b"if-modified-since"})
_TELLING = _DIRECTIVES | _PRECONDITIONS | {b"range", b"authorization"}
_LENGTHS = frozenset(map(len, _TELLING))


def flight_name(
    key: str, request: RequestHead, plan: Revalidate | Forward, variants: Sequence[StoredEntry], options: CacheOptions
) -> str | None:
    """What requests that wait for one another have in common; None when this one may neither wait nor be waited for.

    It is the cache key with what is known to make a difference: whether the request is authorized, which decides whether
    a shared cache may keep its answer (RFC 9111 §3.5), and the fields by which `variants` were selected (§4.1). A range,
    conditions that the origin would answer with 304, `no-cache`, `no-store` and `max-age=0` are the request's own affair.
    """
    if plan.reason not in _SHARED or request.method != "GET":
        return None
    telling = _telling(request)
    if telling:
        if b"range" in telling or (isinstance(plan, Forward) and telling & _PRECONDITIONS):
            return None
        if telling & _DIRECTIVES and _wants_its_own(policy.heeded(request, options)):
            return None
        if options.shared and b"authorization" in telling:
            key += " authorized"
    for variant in variants:
        if selecting := vary.selecting_fields(request, variant.response):
            key += f" {selecting}"
    return key


def is_shareable(entry: StoredEntry, options: CacheOptions, now: float) -> bool:
    """Whether others may use the response at all without asking the origin. `now` in Unix seconds."""
    facts = facts_of(entry, options)
    return facts.ttl(now) > 0 and not facts.must_ask


def _telling(request: RequestHead) -> set[bytes]:
    """The fields that have a say in it."""
    return {lower for name, _ in request.fields if len(name) in _LENGTHS and (lower := name.lower()) in _TELLING}


def _wants_its_own(wanted: Directives) -> bool:
    return "no-cache" in wanted or "no-store" in wanted or wanted.seconds("max-age") == 0
