"""What every use of a stored response asks again: worked out once and kept with the entry."""

from dataclasses import dataclass

from sluicegate.core.caching import freshness, vary
from sluicegate.core.caching.control import Control, control_of
from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.partial import PARTIAL_CONTENT, Part, stored_part


@dataclass(frozen=True, slots=True)
class Facts:
    """What a stored response says of itself, under given options."""

    options: CacheOptions
    control: Control
    lifetime: int
    """Seconds of its age for which it is fresh (RFC 9111 §4.2.1)."""
    must_ask: bool
    """The origin wants to be asked each time (RFC 9111 §5.2.2.4)."""
    forbids_stale: bool
    varies: bool
    partial: bool
    """It is not the whole."""
    part: Part | None
    """Which bytes it has of how many, if it is not the whole and that is certain."""
    arrived: float
    """Unix seconds."""
    initial_age: float
    """Seconds that it was old when it arrived."""

    def age(self, now: float) -> int:
        """Seconds since the origin generated or validated the response (RFC 9111 §4.2.3)."""
        return int(self.initial_age + max(0.0, now - self.arrived))

    def ttl(self, now: float) -> int:
        """For how many seconds it is still fresh; negative for how long it has been stale."""
        return self.lifetime - self.age(now)


def facts_of(entry: StoredEntry, options: CacheOptions) -> Facts:
    """The entry's facts, kept with it; a replaced entry starts without any."""
    kept = entry.facts
    if isinstance(kept, Facts) and kept.options is options:
        return kept
    response = entry.response.anew()
    control = control_of(response, options.targeted)
    facts = Facts(
        options=options,
        control=control,
        lifetime=freshness.lifetime(response, control, shared=options.shared, response_time=entry.response_time),
        must_ask=control.directives.unqualified("no-cache"),
        forbids_stale=freshness.forbids_stale(control, shared=options.shared),
        varies=bool(vary.varied_names(response)),
        partial=entry.response.status == PARTIAL_CONTENT,
        part=stored_part(entry),
        arrived=entry.response_time,
        initial_age=freshness.initial_age(entry),
    )
    entry.facts = facts
    return facts
