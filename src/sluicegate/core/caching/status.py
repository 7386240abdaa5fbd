"""Cache-Status: a decision in the words of RFC 9211."""

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
    match lookup:
        case Hit():
            parameters = ["hit", f"ttl={lookup.ttl_s}"]
        case Refuse():
            parameters = [f"detail={lookup.reason.token}"]
        case _:
            parameters = [f"fwd={forward_reason(lookup)}"]
    if status is not None:
        parameters.append(f"fwd-status={status}")
    if collapsed:
        parameters.append("collapsed")
    return "; ".join([CACHE_NAME, *parameters, *_result(outcome)]).encode()


def forward_reason(lookup: Lookup) -> str:
    """The `fwd` token: why the stored responses could not answer (RFC 9211 §2.2)."""
    return _FORWARD_REASONS.get(lookup.reason, "bypass")


def _result(outcome: Outcome | None) -> list[str]:
    match outcome:
        case Store() | Join():
            return ["stored"]
        case Freshened():
            return ["stored", f"ttl={outcome.ttl_s}"]
        case PassOn():
            return [f"detail={outcome.reason.token}"]
        case _:
            return []
