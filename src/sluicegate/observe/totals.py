"""Sums since the start, for the status page and the summary of `run`."""

from dataclasses import asdict, dataclass

from sluicegate.observe.tally import Tally

FROM_CACHE = frozenset({"hit", "collapsed", "stale", "revalidated"})
"""Cache outcomes whose body came from the cache, or was shared with the request that the origin was asked for."""


@dataclass(slots=True)
class Totals:
    """How often, how much and how long, whatever the host."""

    requests: int = 0
    """Exchanges finished, whoever answered them."""
    hits: int = 0
    """Answered from the cache without asking the origin."""
    revalidated: int = 0
    """Answered from the cache after the origin confirmed it with a 304."""
    errors: int = 0
    """Exchanges that ended in an error of RFC 9209, or with the client gone."""
    bytes_sent: int = 0
    """Bytes of bodies sent to clients."""
    bytes_from_cache: int = 0
    """Those of them that the origin did not have to send."""
    wait_s: float = 0.0
    """Seconds that requests spent waiting for a limit, summed up."""
    permits: int = 0
    rejected: int = 0
    abandoned: int = 0
    upstream_requests: int = 0
    """Exchanges with origins that were answered or failed."""
    upstream_failures: int = 0

    def as_dict(self) -> dict[str, int | float]:
        """The sums by name, as `/api/status` shows them."""
        return asdict(self) | {"wait_s": round(self.wait_s, 3)}


def totals_of(tally: Tally) -> Totals:
    """The sums over all that was counted until now."""
    totals = Totals(
        permits=sum(waits.count for waits in list(tally.waits.values())),
        rejected=tally.rejected.total(),
        abandoned=tally.abandoned.total(),
        upstream_failures=tally.failures.total(),
    )
    totals.upstream_requests = sum(answers.count for answers in list(tally.answers.values())) + totals.upstream_failures
    for (_, _, cache, _), cell in list(tally.exchanges.items()):
        count = cell.count
        totals.requests += count
        totals.errors += cell.errors
        totals.bytes_sent += cell.bytes_sent
        totals.wait_s += cell.wait_s
        if cache in FROM_CACHE:
            totals.bytes_from_cache += cell.bytes_sent
            if cache == "revalidated":
                totals.revalidated += count
            else:
                totals.hits += count
    return totals
