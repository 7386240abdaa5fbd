"""The cache's decisions (RFC 9111): plain data and `now` in, a decision with its reason out.

A request is looked up, and what the origin answers is judged. hishel's state machine chooses between the entries,
says what may be stored and what a 304 validates; what it lacks or gets wrong is decided here, before it is asked:
age and freshness, the client's own directives and conditions, variants, what is not worth storing.
"""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

from sluicegate.core.caching import answering, stale, storing
from sluicegate.core.caching.decisions import (
    Again,
    CacheOptions,
    Forward,
    Freshened,
    Hit,
    Lookup,
    Outcome,
    PassOn,
    Reason,
    Refuse,
    Revalidate,
    Store,
)
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.facts import facts_of
from sluicegate.core.caching.fields.directives import MAX_SECONDS, Directives, cache_control, date_of
from sluicegate.core.caching.invalidation import SAFE_METHODS
from sluicegate.core.caching.parts import completing, partial
from sluicegate.core.caching.rules import prolonging
from sluicegate.core.caching.selection import variants, vary
from sluicegate.core.caching.stale import Occasion
from sluicegate.core.caching.storing import not_to_be_kept, obeyed_control
from sluicegate.core.caching.validation import conditions, heads, hishel_machine, validating
from sluicegate.core.caching.validation.headers import freshened, stored_form
from sluicegate.core.http import RequestHead, ResponseHead, get, without

_NOT_MODIFIED = HTTPStatus.NOT_MODIFIED
_SUCCESS = range(200, 300)
_MOVED_OR_GONE = frozenset({301, 308, 404, 410})
_CACHED_METHODS = frozenset({"GET", "HEAD"})
_NOT_FOR_OTHERS = frozenset({Reason.NO_STORE, Reason.PRIVATE})
_TELLING = frozenset({b"cache-control", b"pragma", b"range"}) | conditions.FOR_THE_ORIGIN
_TELLING_LENGTHS = frozenset(map(len, _TELLING))
_NO_WISHES = Directives()
_ONE_CLIENTS = (b"cache-control", b"pragma", b"range", b"if-range", *conditions.PRECONDITIONS)
"""Fields by which a client says what it has and wishes."""


def may_use_cache(request: RequestHead) -> bool:
    """Whether the store need be asked about this request at all; if not, `look_up` it with no entries.

    Requests with unsafe methods need it too: what they invalidate is stored there.
    """
    return request.method not in SAFE_METHODS or _bypass(request) is None


def look_up(request: RequestHead, entries: Sequence[StoredEntry], options: CacheOptions, now: float) -> Lookup:
    """What to do with a request, given what is stored under its key. `now` in Unix seconds."""
    if options.offline:
        return instead(request, entries, Occasion.OFFLINE, options, now) or _refuse(Reason.OFFLINE)
    if not options.enabled:
        return Forward(request, options.off)
    if not entries and request.method in _CACHED_METHODS and not _says_more(request):
        return plain_miss(request)
    found = _found(request, entries, heeded(request, options), options, now)
    if options.rule is None or not isinstance(found, Hit) or found.reason in stale.REFRESHING:
        return found
    if not options.rule.heeds(requested(request)):
        found.reason = Reason.RULE_RELOAD
    return found


def plain_miss(request: RequestHead) -> Forward:
    """What `look_up` says where nothing is stored and no field of the request has a say in it."""
    return Forward(request, Reason.URI_MISS)


def _found(
    request: RequestHead, entries: Sequence[StoredEntry], wanted: Directives, options: CacheOptions, now: float
) -> Lookup:
    """What to do with a request whose directives, as far as they are heeded, are `wanted`."""
    selected = _selected(request, entries, options)
    if (bypass := _bypass(request)) is not None:
        if "only-if-cached" in wanted:
            return _refuse(Reason.ONLY_IF_CACHED)
        return _forward_past(request, entries, selected, bypass)
    views = [_view(entry, wanted, options, now) for entry in selected]
    found = _fresh(request, views, options, now) or _stale(
        request, selected, wanted, Occasion.REFRESH, options, now=now
    )
    if found is not None:
        return found
    if "only-if-cached" in wanted:
        return _refuse(Reason.ONLY_IF_CACHED)
    return _plan(request, entries, views, wanted, options, now=now)


def instead(
    request: RequestHead, entries: Sequence[StoredEntry], occasion: Occasion, options: CacheOptions, now: float
) -> Hit | None:
    """What may be answered from `entries` on that occasion, if anything: something fresh by now, or something stale."""
    if not options.enabled or not entries or _bypass(request) is not None:
        return None
    wanted = heeded(request, options)
    selected = _selected(request, entries, options)
    fresh = _fresh(request, [_view(entry, wanted, options, now) for entry in selected], options, now)
    return fresh or _stale(request, selected, wanted, occasion, options, now=now)


def renewal(
    request: RequestHead, entries: Sequence[StoredEntry], options: CacheOptions, now: float
) -> Revalidate | Forward | None:
    """What validates the response that `request` was answered with; None when that is not needed any more.

    It asks for the whole, and says nothing of what this one client has or wishes.
    """
    whole = RequestHead("GET", request.origin, request.target, without(request.fields, _ONE_CLIENTS))
    views = [_view(entry, _NO_WISHES, options, now) for entry in _selected(whole, entries, options)]
    if all(facts_of(view.entry, options).partial for view in views) or any(view.usable for view in views):
        return None
    return _plan(whole, entries, views, _NO_WISHES, options, now=now)


def judge(
    plan: Revalidate | Forward,
    response: ResponseHead,
    options: CacheOptions,
    *,
    request_time: float,
    response_time: float,
) -> Outcome:
    """What to do with a response to `plan.request`, whose fields are end-to-end ones.

    Times in Unix seconds, as RFC 9111 §4.2.3 defines them.
    """
    head = response
    if not options.enabled or plan.reason is Reason.CACHE_OFF:
        return PassOn(head, options.off)
    if isinstance(plan, Forward) and plan.completes is not None:
        if response.status in completing.ANSWERS:
            return completing.judge(plan, plan.completes, response, options, (request_time, response_time))
        plan = Forward(plan.completes.original, plan.reason, plan.candidates)
    request = plan.original if isinstance(plan, Revalidate) else plan.request
    control = obeyed_control(response, options)
    reason, by_rule = prolonging.refusal(request, response, control, options, response_time)
    removed: list[str] = []
    if isinstance(plan, Revalidate) or response.status == _NOT_MODIFIED or request.method not in SAFE_METHODS:
        learned = validating.learn(plan, response, control, options)
        removed = list(learned.removed)
        if learned.again:
            left = [entry for entry in plan.candidates if entry.id not in removed]
            return Again(Forward(request, plan.reason, left), removed)
        if learned.updating:
            received = StoredEntry("", request, response, request_time, response_time)
            return _validated(learned.updating, received, options, removed)
    if plan.candidates and request.method == "GET" and (reason is None or _speaks_for_the_resource(response.status)):
        removed = _replaced(plan.candidates, response)
    if reason is not None and request.method != "HEAD":
        return PassOn(head, reason, removed)
    if reason is not None:
        times = (request_time, response_time)
        updates, outdated = heads.learned(request, plan.candidates, response, options, times)
        return PassOn(head, reason, [*removed, *outdated], updates)
    entry = StoredEntry(
        "",
        storing.kept_request(request, response, options),
        stored_form(response, control.directives, options, response_time),
        request_time,
        response_time,
    )
    stored = Reason.REPLACED if plan.candidates else Reason.STORABLE
    return Store(head, entry, Reason.RULE_STORE if by_rule else stored, removed)


def heeded(request: RequestHead, options: CacheOptions) -> Directives:
    """The client's directives but for those that a rule of the user's own ignores."""
    return requested(request) if options.rule is None else options.rule.heeded(requested(request))


def requested(request: RequestHead) -> Directives:
    """The client's directives; without any, `Pragma: no-cache` counts as one (RFC 9111 §5.4)."""
    directives = cache_control(request.fields)
    if not directives.values and (get(request.fields, b"pragma") or b"").strip().lower() == b"no-cache":
        return Directives({"no-cache": [None]})
    return directives


def _selects(request: RequestHead, entry: StoredEntry, options: CacheOptions) -> bool:
    """Whether the entry is of the same resource, and selected by the same fields (RFC 9111 §4)."""
    return not facts_of(entry, options).strayed and vary.matches(request, entry)


def _bypass(request: RequestHead) -> Reason | None:
    """Why nothing stored can answer the request, whatever there is."""
    if request.method not in _CACHED_METHODS:
        return Reason.METHOD
    for name, _ in request.fields:
        if name.lower() in conditions.FOR_THE_ORIGIN:
            return Reason.PRECONDITION
    return None


def _forward_past(
    request: RequestHead, entries: Sequence[StoredEntry], variants: Sequence[StoredEntry], reason: Reason
) -> Forward:
    """Send on what nothing stored can answer.

    What comes takes the place of the variants; an unsafe request may invalidate every entry (RFC 9111 §4.4).
    """
    if request.method not in SAFE_METHODS:
        return Forward(request, reason, list(entries))
    return Forward(request, reason, list(variants) if request.method == "GET" else [])


def _speaks_for_the_resource(status: int) -> bool:
    """Whether a response tells that what was stored is no longer so, even if it is not stored itself.

    An error of the server does not (RFC 9111 §4.3.3), nor one that may be about the request, nor a detour for a while.
    """
    return status in _SUCCESS or status in _MOVED_OR_GONE


def _replaced(candidates: Sequence[StoredEntry], response: ResponseHead) -> list[str]:
    """The stored responses that a new one makes superfluous: a part does so only for other parts."""
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        return partial.superseded(response, candidates)
    return [entry.id for entry in candidates]


def _refuse(reason: Reason) -> Refuse:
    """Nothing but a stored response is wanted (RFC 9111 §5.2.1.7), or to be had."""
    return Refuse(ResponseHead(504, b"Gateway Timeout"), reason)


def _selected(request: RequestHead, entries: Sequence[StoredEntry], options: CacheOptions) -> list[StoredEntry]:
    """The stored responses that may be chosen for the request (RFC 9111 §4.1)."""
    return [entry for entry in entries if not facts_of(entry, options).varies or _selects(request, entry, options)]


def _fresh(request: RequestHead, views: Sequence[hishel_machine.View], options: CacheOptions, now: float) -> Hit | None:
    """The answer from what may be used as it is; from a whole response rather than a part."""
    usable = [view.entry for view in views if view.usable]
    if not usable:
        return None
    wholes = [entry for entry in usable if not facts_of(entry, options).partial]
    if wholes:
        return answering.hit(request, max(wholes, key=_recency) if len(wholes) > 1 else wholes[0], options, now)
    return answering.hit_in([(entry, None) for entry in usable], request, options, now)


def _stale(
    request: RequestHead,
    selected: Sequence[StoredEntry],
    wanted: Directives,
    occasion: Occasion,
    options: CacheOptions,
    *,
    now: float,
) -> Hit | None:
    """The answer from what may be used on that occasion; from parts only where nobody validates them meanwhile."""
    wholes: dict[str, tuple[StoredEntry, Reason]] = {}
    parts: list[tuple[StoredEntry, Reason | None]] = []
    for entry in selected:
        facts = facts_of(entry, options)
        reason = stale.permission(facts, wanted, occasion, options, now)
        if reason is not None and facts.partial:
            parts.append((entry, reason))
        elif reason is not None:
            wholes[entry.id] = entry, reason
    if wholes:
        entry, reason = max(wholes.values(), key=lambda found: _recency(found[0]))
        return answering.hit(request, entry, options, now, reason)
    return None if occasion.reason in stale.REFRESHING else answering.hit_in(parts, request, options, now)


def _plan(
    request: RequestHead,
    entries: Sequence[StoredEntry],
    views: Sequence[hishel_machine.View],
    wanted: Directives,
    options: CacheOptions,
    *,
    now: float,
) -> Revalidate | Forward:
    """What to ask the origin, and whether something of what is selected may do if it does not answer."""
    selected = [view.entry for view in views]
    wholes = [view for view in views if not facts_of(view.entry, options).partial]
    plan: Revalidate | Forward = Forward(request, Reason.VARY_MISS if entries else Reason.URI_MISS)
    if get(request.fields, b"range") is not None:
        plan = Forward(request, Reason.RANGE, selected)
    elif selected and not wholes:
        plan = completing.plan(request, selected, options)
    else:
        if wholes:
            plan = validating.ask(request, wholes, lambda entry: _why_not(entry, wanted, options, now), options, now)
        there = [entry for entry in entries if not facts_of(entry, options).strayed]
        plan = validating.ask_about_others(plan, variants.worth_asking(request, there, selected), options)
    plan.spare = any(
        stale.permission(facts_of(entry, options), wanted, Occasion.UNREACHABLE, options, now) for entry in selected
    )
    return plan


def _says_more(request: RequestHead) -> bool:
    """Whether a field of the request has a say in what becomes of it when nothing is stored."""
    named = [name for name, _ in request.fields if len(name) in _TELLING_LENGTHS]
    return bool(named) and not _TELLING.isdisjoint(map(bytes.lower, named))


def _view(entry: StoredEntry, wanted: Directives, options: CacheOptions, now: float) -> hishel_machine.View:
    """The entry with the lifetime that the client's directives leave or add (RFC 9111 §5.2.1)."""
    facts = facts_of(entry, options)
    usable = facts.lifetime
    if wanted.values:
        if "max-stale" in wanted and not facts.forbids_stale:
            usable += MAX_SECONDS if wanted.unqualified("max-stale") else wanted.seconds("max-stale") or 0
        usable -= wanted.seconds("min-fresh") or 0
        oldest = None if facts.immutable else wanted.seconds("max-age")
        usable = usable if oldest is None else min(usable, oldest)
    must_ask = facts.must_ask or "no-cache" in wanted
    return hishel_machine.View(entry, facts.age(now), max(0, usable), must_ask)


def _recency(entry: StoredEntry) -> tuple[int, float]:
    """The most recent one is the one to use, and Date tells which that is (RFC 9111 §4); dates are whole seconds."""
    return date_of(entry.response.fields, b"date", entry.response_time) or 0, entry.response_time


def _why_not(entry: StoredEntry, wanted: Directives, options: CacheOptions, now: float) -> Reason:
    """Why the entry may not be used unasked."""
    facts = facts_of(entry, options)
    if "no-cache" in wanted:
        return Reason.REQUEST_NO_CACHE
    if facts.must_ask:
        return Reason.RESPONSE_NO_CACHE
    return Reason.REQUEST_TOO_OLD if facts.ttl(now) > 0 else Reason.STALE


def _validated(
    updating: Sequence[StoredEntry], received: StoredEntry, options: CacheOptions, removed: list[str]
) -> Freshened:
    """Freshen the entries that a 304 validated and answer from the best of them (RFC 9111 §4.3.4).

    A 304 may be for this client only, or forbid to keep it: then nothing of it is kept, and what is no longer for
    others goes.
    """
    now = received.response_time
    updates, kept = [_updated(entry, received, options) for entry in updating], []
    for entry in updates:
        forbidden = not_to_be_kept(received.request, obeyed_control(entry.response, options), options)
        if forbidden is None:
            kept.append(entry)
        elif forbidden in _NOT_FOR_OTHERS:
            removed = [*removed, entry.id]
    best = updates[0]
    facts = facts_of(best, options)
    head = answering.answer_from(best, received.request, facts.age(now))
    return Freshened(best, head, kept, facts.ttl(now), Reason.VALIDATED, removed)


def _updated(entry: StoredEntry, received: StoredEntry, options: CacheOptions) -> StoredEntry:
    """The entry with the fields of the 304 that validated it, which may be about another Vary than it had."""
    response = freshened(entry.response, received.response, options, received.response_time)
    return replace(
        entry,
        request=vary.reselected(entry, received.request, response),
        response=response,
        request_time=received.request_time,
        response_time=received.response_time,
    )
