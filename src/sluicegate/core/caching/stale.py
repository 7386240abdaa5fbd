"""Whether something stale may be used, and on what occasion (RFC 9111 §4.2.4, RFC 5861).

| occasion | the origin has to allow it by | of the client's directives it minds |
| --- | --- | --- |
| REFRESH | `stale-while-revalidate` | all |
| ERROR | `stale-if-error`, which the client may say as well | `no-cache` |
| UNREACHABLE, SLOW, LIMITED | nothing, up to `StaleOptions.unreachable_s`; or `stale-if-error` | `no-cache` |
| QUEUE | the same | all |
| OFFLINE | nothing | `no-cache` |

On no occasion is anything used that the origin wants to be asked about each time (`no-cache`), or that is stale and has
`must-revalidate`, or in a shared cache `proxy-revalidate` or `s-maxage`.

A client's `max-age` and `min-fresh` say what it prefers (§5.2.1); where nothing fresher is to be had, what is stored is
nearer to it than an error.
"""

from enum import Enum

from sluicegate.core.caching.decisions import CacheOptions, Reason
from sluicegate.core.caching.facts import Facts
from sluicegate.core.caching.fields.directives import Directives

ERRORS = frozenset({500, 502, 503, 504})
"""Answers that count as errors (RFC 5861 §4)."""

_PARTICULAR = ("no-cache", "no-store", "max-age", "min-fresh", "max-stale")
"""Directives of a client that has a wish of its own about age, or about what may become of the answer (RFC 9111 §5.2.1)."""


class Occasion(Enum):
    """Why something stale is to be answered; its reason is the one that is told, unless `stale-if-error` allows it."""

    REFRESH = Reason.STALE_WHILE_REVALIDATE
    """Nothing is wrong: it is validated meanwhile."""
    ERROR = Reason.STALE_IF_ERROR
    """The origin answered with one of `ERRORS`."""
    UNREACHABLE = Reason.STALE_UNREACHABLE
    """No connection, or it ended without an answer."""
    SLOW = Reason.STALE_SLOW
    """No answer so far."""
    LIMITED = Reason.STALE_LIMITED
    """The limiter refused."""
    QUEUE = Reason.STALE_QUEUE
    """The limiter would let it wait for long; it is validated meanwhile."""
    OFFLINE = Reason.OFFLINE
    """No request may leave."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


REFRESHING = frozenset({Reason.STALE_WHILE_REVALIDATE, Reason.STALE_QUEUE})
"""Reasons of answers that are validated at the same time."""

_IN_NO_NEED = frozenset({Occasion.REFRESH, Occasion.QUEUE})


def permission(
    facts: Facts, wanted: Directives, occasion: Occasion, options: CacheOptions, now: float
) -> Reason | None:
    """Why a stored response may be used on that occasion; None when it may not.

    `wanted` are the client's directives, `now` Unix seconds. What is still fresh, but not fresh enough for the client,
    is judged as what has just become stale.
    """
    staleness = -facts.ttl(now)
    if facts.must_ask or (facts.forbids_stale and staleness >= 0) or "no-cache" in wanted:
        return None
    if occasion in _IN_NO_NEED and wanted.values and any(name in wanted for name in _PARTICULAR):
        return None
    if occasion is Occasion.REFRESH:
        return occasion.reason if 0 <= staleness < facts.revalidate_s else None
    if occasion is Occasion.OFFLINE:
        return occasion.reason
    asked_s = wanted.seconds("stale-if-error")
    error_s = facts.error_s if asked_s is None else asked_s
    if error_s and staleness < error_s:
        return occasion.reason if occasion is Occasion.QUEUE else Reason.STALE_IF_ERROR
    if occasion is Occasion.ERROR or asked_s is not None:
        return None
    unreachable_s = options.stale.unreachable_s
    return occasion.reason if unreachable_s and staleness < unreachable_s else None
