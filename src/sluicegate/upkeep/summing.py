"""What there is in the cache, in figures."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.facts import facts_of
from sluicegate.core.caching.listing import Listed
from sluicegate.core.http import RequestHead

_VALIDATORS = (b"etag", b"last-modified")


class Use(Enum):
    """What a stored response is good for now."""

    FRESH = "fresh"
    """It answers without the origin."""
    REVALIDATES = "revalidates"
    """The origin has to confirm it, and its body need not be sent again."""
    STALE = "stale"
    """It is stale, and has nothing to ask the origin with."""


@dataclass(slots=True)
class Share:
    """A part of the cache."""

    entries: int = 0
    bytes: int = 0
    """What they take in the store."""

    def add(self, size: int) -> None:
        """One more."""
        self.entries += 1
        self.bytes += size


@dataclass(slots=True)
class Figures:
    """The sums so far. Memory grows with the number of hosts, not of entries."""

    total: Share = field(default_factory=Share)
    body_bytes: int = 0
    by_host: dict[str, Share] = field(default_factory=dict)
    by_status: dict[int, Share] = field(default_factory=dict)
    by_type: Counter[str] = field(default_factory=Counter)
    by_use: dict[Use, Share] = field(default_factory=lambda: {use: Share() for use in Use})
    undigested: int = 0
    """Stored by a version that recorded no digests."""
    oldest: float | None = None
    """When the oldest was stored or confirmed (Unix seconds)."""
    newest: float | None = None

    def add(self, listed: Listed, use: Use) -> None:
        """Count one more."""
        entry, size = listed.entry, listed.size
        self.total.add(size)
        self.body_bytes += entry.body_length or 0
        self.by_host.setdefault(entry.request.origin.host, Share()).add(size)
        self.by_status.setdefault(entry.response.status, Share()).add(size)
        self.by_type[media_type(listed)] += 1
        self.by_use[use].add(size)
        self.undigested += listed.digest is None
        self.oldest = entry.response_time if self.oldest is None else min(self.oldest, entry.response_time)
        self.newest = entry.response_time if self.newest is None else max(self.newest, entry.response_time)

    def largest_hosts(self, count: int) -> list[tuple[str, Share]]:
        """The hosts that take most, the largest first."""
        return sorted(self.by_host.items(), key=lambda item: (-item[1].bytes, item[0]))[:count]


def use_of(listed: Listed, options: Callable[[RequestHead], CacheOptions], now: float) -> Use:
    """What a stored response is good for at `now` (Unix seconds); `options` as the policy has them for a request."""
    facts = facts_of(listed.entry, options(listed.entry.request))
    if facts.ttl(now) > 0 and not facts.must_ask and not facts.strayed:
        return Use.FRESH
    has_validator = any(listed.entry.response.get_all(name) for name in _VALIDATORS)
    return Use.REVALIDATES if has_validator and not facts.strayed else Use.STALE


def media_type(listed: Listed) -> str:
    """The response's media type without parameters; a dash where it has none."""
    value = listed.entry.response.get(b"content-type") or b"-"
    return value.partition(b";")[0].strip().lower().decode("latin-1") or "-"
