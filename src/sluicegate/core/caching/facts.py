"""What every use of a stored response asks again: worked out once and kept with the entry."""

from dataclasses import dataclass

from sluicegate.core.caching import freshness, privacy
from sluicegate.core.caching.decisions import CacheOptions, Reason
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.control import Control, control_of
from sluicegate.core.caching.parts.partial import PARTIAL_CONTENT, Part, stored_part
from sluicegate.core.caching.rules import overrides, prolonging
from sluicegate.core.caching.selection import vary


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
    revalidate_s: int
    """For how many seconds after that it may be used while it is validated (RFC 5861 §3)."""
    error_s: int
    """For how many seconds after that it may be used instead of an error (RFC 5861 §4)."""
    immutable: bool
    """It does not change while it is fresh, so nobody need ask about it then (RFC 8246 §2)."""
    varies: bool
    partial: bool
    """It is not the whole."""
    part: Part | None
    """Which bytes it has of how many, if it is not the whole and that is certain."""
    arrived: float
    """Unix seconds."""
    initial_age: float
    """Seconds that it was old when it arrived."""
    fresh: Reason = Reason.FRESH
    """Why it may be used while it is fresh: by the user's own rule, perhaps, which also stands in for `must_ask`."""
    strayed: bool = False
    """It is under a key that it would not have today, or is not for those who use the cache now: it matches nothing."""

    @property
    def ruled(self) -> bool:
        """Whether the lifetime is that of the user's own rule."""
        return self.fresh is Reason.RULE_TTL

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
    rule = options.rule
    ruled = None if rule is None else prolonging.ruled_lifetime(entry, rule, control, options)
    own = freshness.lifetime(response, control, shared=options.shared, response_time=entry.response_time)
    strayed = overrides.strayed(entry, rule) or privacy.barred(entry, control, options)
    facts = Facts(
        options=options,
        control=control,
        lifetime=own if ruled is None else ruled,
        must_ask=ruled is None and control.directives.unqualified("no-cache"),
        forbids_stale=freshness.forbids_stale(control, shared=options.shared),
        revalidate_s=control.directives.seconds("stale-while-revalidate") or 0,
        error_s=control.directives.seconds("stale-if-error") or 0,
        immutable="immutable" in control.directives,
        varies=strayed or bool(vary.varied_names(response)),
        partial=entry.response.status == PARTIAL_CONTENT,
        part=stored_part(entry),
        arrived=entry.response_time,
        initial_age=freshness.initial_age(entry),
        fresh=Reason.FRESH if ruled is None else Reason.RULE_TTL,
        strayed=strayed,
    )
    entry.facts = facts
    return facts
