"""Cache-Status: a decision in the words of RFC 9211."""

from functools import lru_cache

from sluicegate.core.caching.decisions import Freshened, Hit, Join, Lookup, Outcome, PassOn, Reason, Refuse, Store

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


def cache_status(
    lookup: Lookup, outcome: Outcome | None = None, *, status: int | None = None, collapsed: bool = False
) -> bytes:
    """This cache's member of Cache-Status (RFC 9211 §2).

    `outcome` is what was decided about the origin's response and `status` the status it had, if it answered;
    `collapsed` that the request did not go to the origin but shared another one's response.
    """
    if isinstance(lookup, Hit):
        begins = f"hit; ttl={lookup.ttl_s}"
    elif isinstance(lookup, Refuse):
        begins = f"detail={lookup.reason.token}"
    else:
        begins = f"fwd={forward_reason(lookup)}"
    ends = f"; ttl={outcome.ttl_s}" if isinstance(outcome, Freshened) else ""
    return _member(begins, status, collapsed, _result(outcome), ends)


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
    return "; stored" if isinstance(outcome, Store | Join | Freshened) else ""
