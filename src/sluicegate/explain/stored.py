"""What a stored response is to a request: its age, its lifetime, and whether Vary lets it be selected."""

from dataclasses import dataclass

from sluicegate.core.caching import freshness
from sluicegate.core.caching.decisions import CacheOptions, Reason
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.facts import Facts, facts_of
from sluicegate.core.caching.fields import control
from sluicegate.core.caching.selection import vary
from sluicegate.core.caching.wording import LIFETIMES
from sluicegate.core.http import RequestHead
from sluicegate.core.text import clip
from sluicegate.explain.stale import Permission, permissions

_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Selector:
    """A member of Vary: the value that the response was stored for, and that of this request; None is no field."""

    name: str
    stored: str | None
    asked: str | None
    matches: bool


@dataclass(frozen=True, slots=True)
class Lifetime:
    """For how long a response is fresh, and what says so."""

    seconds: int
    source: str
    field: str
    section: str
    text: str


@dataclass(frozen=True, slots=True)
class Variant:
    """A stored response, as this request finds it."""

    id: str
    status: int
    body_bytes: int | None
    part: str | None
    """`bytes 0-99/1000` for one that is not the whole."""
    stored_at: float
    """Unix seconds: when it came, or was confirmed last."""
    age_s: int
    lifetime: Lifetime
    fresh_for_s: int
    """Negative: for how long it has been stale."""
    asks_each_time: bool
    """The origin said no-cache (RFC 9111 §5.2.2.4)."""
    never_stale: bool
    """It must not be used stale, whatever the client accepts (RFC 9111 §4.2.4)."""
    stale: list[Permission]
    """When it may be used stale all the same."""
    etag: str | None
    last_modified: str | None
    vary: list[Selector]
    selected: bool
    """Vary does not speak against it (RFC 9111 §4.1)."""
    strayed: bool
    """It has this key by a rule that is no longer in force, and answers nothing."""


def variant_of(request: RequestHead, entry: StoredEntry, options: CacheOptions, now: float) -> Variant:
    """The stored response as `request` (end-to-end fields) finds it at `now` (Unix seconds)."""
    facts = facts_of(entry, options)
    selectors = _selectors(request, entry)
    return Variant(
        id=entry.id,
        status=entry.response.status,
        body_bytes=entry.body_length,
        part=_text(entry.response.get(b"content-range")) if facts.partial else None,
        stored_at=entry.response_time,
        age_s=facts.age(now),
        lifetime=_lifetime(entry, facts, options),
        fresh_for_s=facts.ttl(now),
        asks_each_time=facts.must_ask,
        never_stale=facts.forbids_stale,
        stale=permissions(request, facts, options, now),
        etag=_text(entry.response.get(b"etag")),
        last_modified=_text(entry.response.get(b"last-modified")),
        vary=selectors,
        selected=not facts.strayed and all(selector.matches for selector in selectors),
        strayed=facts.strayed,
    )


def _lifetime(entry: StoredEntry, facts: Facts, options: CacheOptions) -> Lifetime:
    if facts.fresh is Reason.RULE_TTL:
        return Lifetime(facts.lifetime, "rule", "cache.rules", "cache.rules", "the ttl of a rule in cache.rules")
    _, source = freshness.sourced_lifetime(
        entry.response, facts.control, shared=options.shared, response_time=entry.response_time
    )
    return Lifetime(facts.lifetime, source.token, _governing(entry, options), source.section, LIFETIMES[source])


def _governing(entry: StoredEntry, options: CacheOptions) -> str:
    """The field whose directives are obeyed: the targeted one that counts, else Cache-Control (RFC 9213 §2.2)."""
    for name in options.targeted:
        if not control.control_of(entry.response, (name,)).heeds_expires:
            return name.decode()
    return "cache-control"


def _selectors(request: RequestHead, entry: StoredEntry) -> list[Selector]:
    kept = dict(entry.request.fields)
    differing = set(vary.differing(request, entry))
    return [
        Selector(
            name.decode("latin-1"),
            _text(kept.get(name)),
            _text(vary.normalised(request, name)),
            name not in differing,
        )
        for name in dict.fromkeys(vary.varied_names(entry.response))
    ]


def _text(value: bytes | None) -> str | None:
    return None if value is None else clip(value.decode("latin-1"), _LONGEST_VALUE)
