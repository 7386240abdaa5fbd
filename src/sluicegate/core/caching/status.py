"""Cache-Status: a decision in the words of RFC 9211."""

from functools import lru_cache
from urllib.parse import quote

from sluicegate.core.caching.decisions import Freshened, Hit, Join, Lookup, Outcome, PassOn, Reason, Refuse, Store
from sluicegate.core.caching.stale import Occasion

CACHE_NAME = "Sluicegate"

_FORWARD_REASONS = {
    Reason.URI_MISS: "uri-miss",
    Reason.VARY_MISS: "vary-miss",
    Reason.STALE: "stale",
    Reason.RESPONSE_NO_CACHE: "stale",
    Reason.REQUEST_NO_CACHE: "request",
    Reason.REQUEST_TOO_OLD: "request",
    Reason.ONLY_IF_CACHED: "request",
    Reason.PRECONDITION: "request",
    Reason.RANGE: "partial",
    Reason.METHOD: "method",
}
"""RFC 9211 §2.2: why the request went forward; anything else is a bypass."""

_RULED = frozenset({Reason.RULE_TTL, Reason.RULE_RELOAD, Reason.RULE_STORE})
"""What is told of a hit or a stored response: that a rule of the user's own was decisive."""

_STALE = frozenset(occasion.reason for occasion in Occasion) | {Reason.STALE_IF_ERROR}
"""What is told of a hit: on what occasion something stale was used."""

_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
_LONGEST_KEY = 1024


def cache_status(
    lookup: Lookup,
    outcome: Outcome | None = None,
    *,
    status: int | None = None,
    collapsed: bool = False,
    key: str | None = None,
    instead: Hit | None = None,
) -> bytes:
    """This cache's member of Cache-Status (RFC 9211 §2).

    `outcome` is what was decided about the origin's response and `status` the status it had, if it answered;
    `instead` that something stored was used because the origin, or the way to it, failed;
    `collapsed` that the request did not go to the origin but shared another one's response. `key` is the cache key where
    a rule of the user's own made it.
    """
    if isinstance(lookup, Hit):
        begins = f"hit; ttl={lookup.ttl_s}{_detail(lookup.reason)}"
    elif isinstance(lookup, Refuse):
        begins = f"detail={lookup.reason.token}"
    else:
        begins = f"fwd={forward_reason(lookup)}"
    ends = f"; ttl={outcome.ttl_s}" if isinstance(outcome, Freshened) else ""
    if instead is not None:
        ends = f"; ttl={instead.ttl_s}; detail={instead.reason.token}"
    member = _member(begins, status, collapsed, _result(outcome), ends)
    return member if key is None else member + _key(key)


def hit_ends(reason: Reason, key: str | None) -> bytes:
    """What the member of a hit ends with after its `ttl`, if there is nothing more to say than why, and by which key."""
    return _detail(reason).encode() + (b"" if key is None else _key(key))


def forward_reason(lookup: Lookup) -> str:
    """The `fwd` token: why the stored responses could not answer (RFC 9211 §2.2)."""
    return _FORWARD_REASONS.get(lookup.reason, "bypass")


@lru_cache(maxsize=1024)
def _member(begins: str, status: int | None, collapsed: bool, result: str, ends: str) -> bytes:
    """The same few, again and again."""
    asked = "" if status is None else f"; fwd-status={status}"
    return f"{CACHE_NAME}; {begins}{asked}{'; collapsed' if collapsed else ''}{result}{ends}".encode()


def _result(outcome: Outcome | None) -> str:
    if isinstance(outcome, PassOn):
        return f"; detail={outcome.reason.token}"
    if not isinstance(outcome, Store | Join | Freshened):
        return ""
    return f"; stored{_detail(outcome.reason)}"


def _detail(reason: Reason) -> str:
    return f"; detail={reason.token}" if reason in _RULED or reason in _STALE else ""


def _key(key: str) -> bytes:
    """The key as a String (RFC 8941 §3.3.3), which is ASCII; one that is too long for a field is not told."""
    text = quote(key, safe=_PRINTABLE, errors="surrogatepass").replace("\\", "\\\\").replace('"', '\\"')
    return b'; key="%b"' % text.encode() if len(text) <= _LONGEST_KEY else b""
