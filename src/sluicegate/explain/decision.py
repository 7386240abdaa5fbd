"""What the cache would do with a request, told from what the policy decides."""

from dataclasses import dataclass
from http import HTTPStatus

from sluicegate.core.caching import policy
from sluicegate.core.caching.decisions import (
    CacheOptions,
    Forward,
    Hit,
    Lookup,
    PassOn,
    Reason,
    Refuse,
    Revalidate,
)
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.rules import wording as rule_wording
from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.core.caching.stale import REFRESHING, Occasion
from sluicegate.core.caching.status import cache_status
from sluicegate.core.caching.steering import STEERING, is_steered
from sluicegate.core.caching.wording import SENTENCES
from sluicegate.core.http import FieldList, RequestHead, ResponseHead
from sluicegate.explain.stored import Variant, variant_of

_WILLING = b"max-age=3600"
"""The Cache-Control of a response that may be kept."""
_MOST_WILLING = b"public, max-age=3600"
_ANSWERED = {
    200: "Answered from the cache; the origin is not asked.",
    206: "Answered from the cache with the range that it asks for; the origin is not asked.",
    304: "Answered 304 from the cache: the client has what is stored.",
    416: "Answered 416 from the cache: what is stored has no such range.",
}
_CONFIRMS = "The origin is asked whether what is stored is still good; if it is, no body is sent again."
_SELECTS = "The origin is asked whether one of the stored variants is for this request, too."


@dataclass(frozen=True, slots=True)
class Why:
    """A reason: the word that log and Cache-Status use, where it is written, and a sentence."""

    reason: str
    section: str
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a request that comes now."""

    action: str
    """`hit`, `revalidate`, `complete`, `forward` or `refuse`."""
    summary: str
    why: Why
    status: int | None
    """Of the answer, where the cache gives it."""
    fresh_for_s: int | None
    """Of a hit; negative: for how long it has been stale."""
    sends: list[str]
    """The fields that the origin is asked with besides the client's own."""
    uses: list[str]
    """The ids of the stored responses that it is about."""
    asks_meanwhile: bool
    """A hit that is validated at the same time, which costs a permit but nobody's time."""
    cache_status: str
    """The field that tells it, as far as it is known now (RFC 9211)."""


@dataclass(frozen=True, slots=True)
class Later:
    """What happens when what is stored is no longer fresh."""

    after_s: int
    decision: Decision


@dataclass(frozen=True, slots=True)
class RuleView:
    """The entry of `cache.rules` that counts."""

    index: int
    """Which it is, from 0."""
    covers: str
    effects: list[str]


@dataclass(frozen=True, slots=True)
class CacheView:
    """The cache's side of a request."""

    key: str
    rule: RuleView | None
    stored: list[Variant]
    steered_by: list[str]
    """Fields that may make the origin answer something else than the key says: the cache has no part in it."""
    decision: Decision
    if_refused: Why | None
    """Why something stored answers it if the limiter refuses; None: it is answered 429 then."""
    later: Later | None
    """Of a fresh hit."""
    refuses_to_store: Why | None
    """Why the origin's answer is not kept although it may be reused; None when that is up to the answer."""
    refuses_anything: bool
    """Nothing that the answer could say changes that."""


def view(request: RequestHead, entries: list[StoredEntry], rules: RuleSet, now: float) -> CacheView:
    """What happens to `request` (end-to-end fields), with `entries` under its key, at `now` (Unix seconds)."""
    key, options = rules.resolve(request)
    found = _found(request, entries, options, now)
    instead = None
    if isinstance(found, Forward | Revalidate):
        instead = policy.instead(request, entries, Occasion.LIMITED, options, now)
    return CacheView(
        key=key,
        rule=_rule(request, rules),
        stored=[variant_of(request, entry, options, now) for entry in entries],
        steered_by=_steering(request),
        decision=_told(found, options.ruled_key(key)),
        if_refused=None if instead is None else why(instead.reason),
        later=_later(found, request, entries, rules, now),
        refuses_to_store=_refuses(found, _WILLING, options, now),
        refuses_anything=_refuses(found, _MOST_WILLING, options, now) is not None,
    )


def why(reason: Reason) -> Why:
    """The reason for people."""
    return Why(reason.token, reason.section, SENTENCES[reason])


def _found(request: RequestHead, entries: list[StoredEntry], options: CacheOptions, now: float) -> Lookup:
    """The policy's decision, about as much of what is stored as the engine shows it."""
    if is_steered(request, None):
        return policy.look_up(request, [], options, now) if options.offline else Forward(request, Reason.CACHE_OFF)
    return policy.look_up(request, entries if policy.may_use_cache(request) else [], options, now)


def _steering(request: RequestHead) -> list[str]:
    if not is_steered(request, None):
        return []
    return [name.decode("latin-1") for name, _ in request.fields if name.lower() in STEERING]


def _rule(request: RequestHead, rules: RuleSet) -> RuleView | None:
    position = rules.match(request)
    if position is None:
        return None
    rule = rules.rules[position]
    return RuleView(position, rule_wording.matched(rule), rule_wording.effects(rule.overrides))


def _told(found: Lookup, ruled_key: str | None) -> Decision:
    action, summary, sends, uses = _action(found)
    return Decision(
        action=action,
        summary=summary,
        why=why(found.reason),
        status=found.head.status if isinstance(found, Hit | Refuse) else None,
        fresh_for_s=found.ttl_s if isinstance(found, Hit) else None,
        sends=sends,
        uses=uses,
        asks_meanwhile=found.reason in REFRESHING,
        cache_status=cache_status(found, key=ruled_key).decode(),
    )


def _action(found: Lookup) -> tuple[str, str, list[str], list[str]]:
    match found:
        case Hit():
            return "hit", _answered(found), [], [found.entry.id]
        case Revalidate():
            summary = _SELECTS if found.reason is Reason.VARY_MISS else _CONFIRMS
            sends = _added(found.request, found.original)
            return "revalidate", summary, sends, [entry.id for entry in found.candidates]
        case Forward(completes=None):
            return "forward", "Sent to the origin.", [], [entry.id for entry in found.candidates]
        case Forward(completes=completion):
            assert completion is not None
            summary = "The origin is asked for what is missing of a stored part."
            return "complete", summary, _added(found.request, completion.original), [completion.entry.id]
        case Refuse():
            return "refuse", f"Answered {found.head.status} by the proxy; the origin is not asked.", [], []


def _answered(hit: Hit) -> str:
    if hit.reason in REFRESHING:
        return "Answered from the cache, although it is stale; meanwhile the origin is asked about it."
    if hit.ttl_s <= 0 and hit.head.status == HTTPStatus.OK:
        return "Answered from the cache, although it is stale; the origin is not asked."
    return _ANSWERED.get(hit.head.status, f"Answered {hit.head.status} from the cache.")


def _later(found: Lookup, request: RequestHead, entries: list[StoredEntry], rules: RuleSet, now: float) -> Later | None:
    if not isinstance(found, Hit) or found.ttl_s <= 0:
        return None
    key, options = rules.resolve(request)
    after = policy.look_up(request, entries, options, now + found.ttl_s)
    return Later(found.ttl_s, _told(after, options.ruled_key(key)))


def _refuses(found: Lookup, control: bytes, options: CacheOptions, now: float) -> Why | None:
    if not isinstance(found, Forward | Revalidate):
        return None
    plan = Forward(found.original if isinstance(found, Revalidate) else found.request, found.reason)
    willing = ResponseHead(200, b"OK", [(b"Cache-Control", control)])
    outcome = policy.judge(plan, willing, options, request_time=now, response_time=now)
    return why(outcome.reason) if isinstance(outcome, PassOn) else None


def _added(sent: RequestHead, original: RequestHead) -> list[str]:
    own: FieldList = original.fields
    added = [item for item in sent.fields if item not in own]
    return [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in added]
