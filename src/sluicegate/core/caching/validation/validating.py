"""Asking the origin about what is stored, and whom its 304 confirms (RFC 9111 §4.3).

hishel's state machine says in which order to ask, what a 304 confirms among the responses that the request selects, and
what an unsafe request invalidates. It knows nothing of variants that the request does not select: those are ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from sluicegate.core.caching.decisions import CacheOptions, Forward, Reason, Revalidate
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.control import Control
from sluicegate.core.caching.invalidation import SAFE_METHODS
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.caching.selection import variants
from sluicegate.core.caching.validation import conditions, hishel_machine
from sluicegate.core.http import RequestHead, ResponseHead


@dataclass(frozen=True, slots=True)
class Asked:
    """The state machine's state that waits for the origin's response, and the entries it was shown, in order."""

    state: object
    shown: Sequence[StoredEntry]
    others: Sequence[StoredEntry] = ()
    """Variants that the request does not select, which the origin was asked about too."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What a response says of stored ones: `updating` are confirmed, best first, and `removed` (ids) are outdated.

    `again`: it confirms something, but nothing that could be used, so that the origin has to be asked without conditions.
    """

    updating: Sequence[StoredEntry] = ()
    removed: Sequence[str] = ()
    again: bool = False


def ask(
    request: RequestHead,
    views: Sequence[hishel_machine.View],
    why: Callable[[StoredEntry], Reason],
    options: CacheOptions,
    now: float,
) -> Revalidate | Forward:
    """Ask about the best that there is to be asked about; without one, for a new response. `why` it may not be used."""
    found = hishel_machine.validation(_question(request), views, shared=options.shared, now=now)
    reason = why(found.candidates[0])
    best = next((entry for entry in found.candidates if conditions.has_validator(entry.response)), None)
    if best is None:
        return Forward(request, reason, found.candidates)
    asked = Asked(found.state, [view.entry for view in views])
    return Revalidate(conditions.conditional(request, best), request, found.candidates, reason, asked)


def ask_about_others(
    plan: Revalidate | Forward, others: Sequence[StoredEntry], options: CacheOptions
) -> Revalidate | Forward:
    """The same plan, which asks about `others` where it would ask about nothing.

    What the request selects by itself is asked about alone: of a 304 without an entity tag nobody could say what it is
    about, and origins that forget it are not rare.
    """
    if isinstance(plan, Revalidate) or not others:
        return plan
    state = Asked(waiting(plan, options).state, [], others)
    request = conditions.conditional(plan.request, None, others)
    return Revalidate(request, plan.request, plan.candidates, plan.reason, state)


def waiting(plan: Revalidate | Forward, options: CacheOptions) -> Asked:
    """What waits for the response: a forwarded request starts anew, and if it is unsafe, may invalidate (§4.4)."""
    if isinstance(plan, Revalidate) and isinstance(plan.state, Asked):
        return plan.state
    request = plan.original if isinstance(plan, Revalidate) else plan.request
    shown = [] if request.method in SAFE_METHODS else plan.candidates
    return Asked(hishel_machine.miss(_question(request), shown, shared=options.shared), shown)


def learn(plan: Revalidate | Forward, response: ResponseHead, control: Control, options: CacheOptions) -> Learned:
    """What the response to `plan.request` says of stored ones. `control` is the response's, as it is to be obeyed."""
    asked = waiting(plan, options)
    if asked.others and response.status == HTTPStatus.NOT_MODIFIED:
        variant = variants.confirmed(response, asked.others)
        removed = [entry.id for entry in plan.candidates]
        return Learned(again=True) if variant is None else Learned([variant], removed)
    verdict = hishel_machine.answer(asked.state, response, control)
    removed = [asked.shown[position].id for position in verdict.remove]
    return Learned([asked.shown[position] for position in verdict.update], removed, verdict.again)


def _question(request: RequestHead) -> hishel_machine.Question:
    return hishel_machine.Question(request.method, cache_key(request))
