"""What the gate's refusals say: which limit, what wait, what to do."""

from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.rates import format_rates
from sluicegate.errors import LimitError, LimiterUnavailable, QueueFull, WaitTooLong

STORE_RETRY_AFTER_S = 5.0


def queue_full(key: str, limit: Limit, retry_after_s: float) -> QueueFull:
    """As many wait as may."""
    return QueueFull(
        f"{limit.max_queue} requests to {key} wait already, as many as max_queue of the limit {limit.name!r} allows",
        limit=limit.name,
        retry_after_s=retry_after_s,
        advice="Try again after Retry-After, send fewer requests at once, or raise max_queue of this limit.",
    )


def wait_too_long(key: str, limit: Limit, wait_s: float) -> WaitTooLong:
    """The wait is over `max_wait`: `wait_s` is what is still to be waited."""
    return WaitTooLong(
        f"{key} is limited to {_terms(limit)} by the limit {limit.name!r}; a permit is {wait_s:.1f} s away, "
        f"and a request may wait {limit.max_wait_s:g} s in all (max_wait)",
        limit=limit.name,
        retry_after_s=wait_s,
        advice="Try again after Retry-After, or raise rates or max_wait of this limit.",
    )


def store_unavailable(limit: Limit, cause: Exception) -> LimiterUnavailable:
    """The store could not be asked for some seconds."""
    return LimiterUnavailable(
        f"no permit can be given: {cause}",
        limit=limit.name,
        retry_after_s=STORE_RETRY_AFTER_S,
        advice=getattr(cause, "advice", "") or "See to the limiter's state directory; the proxy recovers by itself.",
    )


def stopping(limit: Limit) -> LimiterUnavailable:
    """The gate was closed."""
    return LimiterUnavailable("the proxy is stopping", limit=limit.name, retry_after_s=STORE_RETRY_AFTER_S)


def _terms(limit: Limit) -> str:
    return f"{format_rates(limit.rates)} and {limit.concurrency} at once"


def reason(error: LimitError) -> str:
    """The word for it in events: `queue_full`, `max_wait` or `unavailable`."""
    if isinstance(error, QueueFull):
        return "queue_full"
    return "max_wait" if isinstance(error, WaitTooLong) else "unavailable"
