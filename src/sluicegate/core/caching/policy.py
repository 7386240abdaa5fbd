"""The cache's decisions (RFC 9111): plain data and `now` in, a decision with its reason out.

A request is looked up, and what the origin answers is judged. hishel's state machine chooses between the entries,
says what may be stored and what a 304 validates; what it lacks or gets wrong is decided here, before it is asked:
age and freshness, the client's own directives and conditions, variants, what is not worth storing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from sluicegate.core.caching import completing, conditions, hishel_machine, ranges, vary
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
    Span,
    Store,
)
from sluicegate.core.caching.directives import MAX_SECONDS, Directives, cache_control
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.facts import facts_of
from sluicegate.core.caching.headers import freshened, stored_form, with_age
from sluicegate.core.caching.invalidation import SAFE_METHODS
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.caching.storing import obeyed_control, refusal
from sluicegate.core.http import RequestHead, ResponseHead, get

_NOT_MODIFIED = HTTPStatus.NOT_MODIFIED
_SUCCESS = range(200, 300)
_CACHED_METHODS = frozenset({"GET", "HEAD"})
_TELLING = frozenset({b"cache-control", b"pragma", b"range"}) | conditions.FOR_THE_ORIGIN
_TELLING_LENGTHS = frozenset(map(len, _TELLING))


@dataclass(frozen=True, slots=True)
class _Asked:
    """The state machine's state that waits for the origin's response, and the entries it was shown, in order."""

    state: object
    shown: Sequence[StoredEntry]


def may_use_cache(request: RequestHead) -> bool:
    """Whether the store need be asked about this request at all; if not, `look_up` it with no entries.

    Requests with unsafe methods need it too: what they invalidate is stored there.
    """
    return request.method not in SAFE_METHODS or _bypass(request) is None


def look_up(request: RequestHead, entries: Sequence[StoredEntry], options: CacheOptions, now: float) -> Lookup:
    """What to do with a request, given what is stored under its key. `now` in Unix seconds."""
    if not options.enabled:
        return Forward(request, Reason.CACHE_OFF)
    if not entries and request.method in _CACHED_METHODS and not _says_more(request):
        return Forward(request, Reason.URI_MISS)
    wanted = requested(request)
    variants = [entry for entry in entries if not facts_of(entry, options).varies or vary.matches(request, entry)]
    if (bypass := _bypass(request)) is not None:
        return _refuse() if "only-if-cached" in wanted else _forward_past(request, entries, variants, bypass)
    views = [_view(entry, wanted, options, now) for entry in variants if not facts_of(entry, options).partial]
    if usable := [view for view in views if view.usable]:
        return _hit(request, min(usable, key=_age).entry, options, now)
    parts = [entry for entry in variants if facts_of(entry, options).partial]
    if (found := _hit_in(parts, request, wanted, options, now)) is not None:
        return found
    if "only-if-cached" in wanted:
        return _refuse()
    if get(request.fields, b"range") is not None:
        return Forward(request, Reason.RANGE, variants)
    if views:
        return _validate(request, views, wanted, options, now)
    if parts:
        return completing.plan(request, parts, options)
    return Forward(request, Reason.VARY_MISS if entries else Reason.URI_MISS)


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
        return PassOn(head, Reason.CACHE_OFF)
    if isinstance(plan, Forward) and plan.completes is not None:
        if response.status in completing.ANSWERS:
            return completing.judge(plan, plan.completes, response, options, (request_time, response_time))
        plan = Forward(plan.completes.original, plan.reason, plan.candidates)
    request = plan.original if isinstance(plan, Revalidate) else plan.request
    control = obeyed_control(response, options)
    reason = refusal(request, response, control, options, response_time)
    removed: list[str] = []
    if isinstance(plan, Revalidate) or response.status == _NOT_MODIFIED or request.method not in SAFE_METHODS:
        asked = _asked(plan, options)
        verdict = hishel_machine.answer(asked.state, response, control)
        removed = [asked.shown[position].id for position in verdict.remove]
        if verdict.again:
            return Again(Forward(request, plan.reason), removed)
        if verdict.update:
            received = StoredEntry("", request, response, request_time, response_time)
            return _validated([asked.shown[position] for position in verdict.update], received, options, removed)
    if request.method == "GET" and (reason is None or response.status in _SUCCESS):
        removed = [entry.id for entry in plan.candidates if _takes_the_place(response, entry, options)]
    if reason is not None:
        return PassOn(head, reason, removed)
    entry = StoredEntry(
        "",
        request.with_fields(vary.selecting_fields(request, response)),
        stored_form(response, control.directives, options, response_time),
        request_time,
        response_time,
    )
    return Store(head, entry, Reason.REPLACED if plan.candidates else Reason.STORABLE, removed)


def requested(request: RequestHead) -> Directives:
    """The client's directives; without any, `Pragma: no-cache` counts as one (RFC 9111 §5.4)."""
    directives = cache_control(request.fields)
    if not directives.values and (get(request.fields, b"pragma") or b"").strip().lower() == b"no-cache":
        return Directives({"no-cache": [None]})
    return directives


def _hit_in(
    parts: Sequence[StoredEntry], request: RequestHead, wanted: Directives, options: CacheOptions, now: float
) -> Hit | None:
    """A fresh stored part that has all bytes of the one range that the client wants (RFC 9111 §3.3)."""
    if any(get(request.fields, name) is not None for name in conditions.PRECONDITIONS):
        return None
    for entry in parts:
        facts = facts_of(entry, options)
        part = facts.part
        if part is None or not _view(entry, wanted, options, now).usable:
            continue
        match ranges.wanted_parts(request, part.total, entry.response):
            case (Span() as span,) if part.span.start <= span.start and span.end <= part.span.end:
                head = ranges.partial(with_age(entry.response.fields, facts.age(now)), span, part.total)
                inside = Span(span.start - part.span.start, span.end - part.span.start)
                return Hit(entry, head, facts.ttl(now), Reason.FRESH if facts.ttl(now) > 0 else Reason.STALE, inside)
    return None


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


def _takes_the_place(response: ResponseHead, entry: StoredEntry, options: CacheOptions) -> bool:
    """Whether a new response makes a stored one superfluous: a part does so only for other parts."""
    return response.status != HTTPStatus.PARTIAL_CONTENT or facts_of(entry, options).partial


def _refuse() -> Refuse:
    """The client takes a stored response or none (RFC 9111 §5.2.1.7)."""
    return Refuse(ResponseHead(504, b"Gateway Timeout"), Reason.ONLY_IF_CACHED)


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
        oldest = wanted.seconds("max-age")
        usable = usable if oldest is None else min(usable, oldest)
    must_ask = facts.must_ask or "no-cache" in wanted
    return hishel_machine.View(entry, facts.age(now), max(0, usable), must_ask)


def _age(view: hishel_machine.View) -> tuple[int, float]:
    """The most recent one is the one to use (RFC 9111 §4); ages are whole seconds."""
    return view.age, -view.entry.response_time


def _why_not(entry: StoredEntry, wanted: Directives, options: CacheOptions, now: float) -> Reason:
    """Why the entry may not be used unasked."""
    facts = facts_of(entry, options)
    if "no-cache" in wanted:
        return Reason.REQUEST_NO_CACHE
    if facts.must_ask:
        return Reason.RESPONSE_NO_CACHE
    return Reason.REQUEST_TOO_OLD if facts.ttl(now) > 0 else Reason.STALE


def _question(request: RequestHead) -> hishel_machine.Question:
    return hishel_machine.Question(request.method, cache_key(request))


def _validate(
    request: RequestHead, views: Sequence[hishel_machine.View], wanted: Directives, options: CacheOptions, now: float
) -> Revalidate | Forward:
    """Ask the origin about the best candidate that it can be asked about; without one, for a new response."""
    found = hishel_machine.validation(_question(request), views, shared=options.shared, now=now)
    reason = _why_not(found.candidates[0], wanted, options, now)
    best = next((entry for entry in found.candidates if conditions.has_validator(entry.response)), None)
    if best is None:
        return Forward(request, reason, found.candidates)
    asked = _Asked(found.state, [view.entry for view in views])
    return Revalidate(conditions.conditional(request, best), request, found.candidates, reason, asked)


def _asked(plan: Revalidate | Forward, options: CacheOptions) -> _Asked:
    """What waits for the response: a forwarded request starts anew, and if it is unsafe, may invalidate (§4.4)."""
    if isinstance(plan, Revalidate) and isinstance(plan.state, _Asked):
        return plan.state
    request = plan.original if isinstance(plan, Revalidate) else plan.request
    shown = [] if request.method in SAFE_METHODS else plan.candidates
    return _Asked(hishel_machine.miss(_question(request), shown, shared=options.shared), shown)


def _hit(request: RequestHead, entry: StoredEntry, options: CacheOptions, now: float) -> Hit:
    facts = facts_of(entry, options)
    ttl = facts.ttl(now)
    reason = Reason.FRESH if ttl > 0 else Reason.STALE
    head = _answer_from(entry, request, facts.age(now))
    length = entry.body_length
    if head.status != HTTPStatus.OK or length is None:
        return Hit(entry, head, ttl, reason)
    match ranges.wanted_parts(request, length, entry.response):
        case (Span() as span,):
            return Hit(entry, ranges.partial(head.fields, span, length), ttl, reason, span)
        case (Span(), *_) as spans:
            partial_head, body = ranges.multipart(head.fields, spans, length, entry.request.url)
            return Hit(entry, partial_head, ttl, reason, multipart=body)
        case ranges.Unsatisfiable():
            return Hit(entry, ranges.unsatisfiable(head.fields, length), ttl, reason)
        case _:
            return Hit(entry, head, ttl, reason)


def _validated(
    updating: list[StoredEntry], received: StoredEntry, options: CacheOptions, removed: list[str]
) -> Freshened:
    """Freshen the entries that a 304 validated and answer from the best of them (RFC 9111 §4.3.4)."""
    now = received.response_time
    updates = [
        replace(
            entry,
            response=freshened(entry.response, received.response, options, now),
            request_time=received.request_time,
            response_time=now,
        )
        for entry in updating
    ]
    best = updates[0]
    facts = facts_of(best, options)
    head = _answer_from(best, received.request, facts.age(now))
    return Freshened(best, head, updates, facts.ttl(now), Reason.VALIDATED, removed)


def _answer_from(entry: StoredEntry, request: RequestHead, age_s: int) -> ResponseHead:
    """The stored head with its age; a 304 when the client has the same response already (RFC 9111 §4.3.2)."""
    fields = with_age(entry.response.fields, age_s)
    if conditions.unmodified_for(request, entry):
        return conditions.not_modified(fields)
    return ResponseHead(entry.response.status, entry.response.reason, fields)
