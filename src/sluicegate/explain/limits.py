"""What the limiter would do with a request."""

from dataclasses import dataclass

from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.rates import format_rate
from sluicegate.core.limits.window import algorithm, explain


@dataclass(frozen=True, slots=True)
class LimitView:
    """The limit that a host falls under, and what it means now."""

    name: str
    """The entry of `limits.hosts` that matched, or `default`."""
    counted_for: str
    """Whose permits are counted: each host has a count of its own."""
    rates: list[str]
    """Empty: unlimited."""
    concurrency: int
    max_wait_s: float
    max_queue: int
    algorithm: str
    text: str
    wait_s: float | None
    """What the next request would wait for its permit, if nobody waits before it; None where that is not known."""
    refused: bool
    """That is more than `max_wait_s`: the request would be answered 429 at once."""


def limit_view(limit: Limit, key: str, wait_s: float | None) -> LimitView:
    """The limit for people; `wait_s` is what the permit store predicts."""
    return LimitView(
        name=limit.name,
        counted_for=key,
        rates=[format_rate(rate) for rate in limit.rates],
        concurrency=limit.concurrency,
        max_wait_s=limit.max_wait_s,
        max_queue=limit.max_queue,
        algorithm=algorithm(limit),
        text=explain(limit),
        wait_s=wait_s,
        refused=wait_s is not None and wait_s > limit.max_wait_s,
    )
