"""How the user's own rule changes for how long a response is fresh, and what is worth storing.

A shared cache gives unasked to everybody only what the origin itself would let it, for however short a time, or what was
said to nobody in particular: see `overrides`.
"""

import math

from sluicegate.core.caching import freshness, storing
from sluicegate.core.caching.decisions import CacheOptions, Reason
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.control import Control
from sluicegate.core.caching.freshness import Source
from sluicegate.core.caching.rules.overrides import Overrides, personal, was_personal
from sluicegate.core.http import RequestHead, ResponseHead


def ruled_lifetime(entry: StoredEntry, rule: Overrides, control: Control, options: CacheOptions) -> int | None:
    """For how many seconds of its age an entry is fresh by a rule, unasked; None where the response's own word counts.

    The rule's time begins when the response came, however old it was then.
    """
    if rule.ttl_s is None or not rule.prolongs(entry.response.status):
        return None
    own = _own(entry.response, control, options, entry.response_time)
    lifetime = math.ceil(rule.ttl_s) + int(freshness.initial_age(entry))
    if not options.shared or _open_to_all(own, control) or not was_personal(entry):
        return lifetime
    return lifetime if lifetime < own[0] and not _must_ask(control) else None


def refusal(
    request: RequestHead, response: ResponseHead, control: Control, options: CacheOptions, response_time: float
) -> tuple[Reason | None, bool]:
    """Why a response must not or need not be stored, None when nothing stands against it; and whether a rule decided so."""
    refused = storing.refusal(request, response, control, options, response_time)
    if refused is not Reason.NO_USE or options.rule is None:
        return refused, False
    reason = worth_storing(request, response, control, options, response_time)
    return (None, True) if reason is Reason.RULE_STORE else (reason, False)


def worth_storing(
    request: RequestHead, response: ResponseHead, control: Control, options: CacheOptions, response_time: float
) -> Reason:
    """What becomes of a response that is of no use by its own word, where there is a rule: `RULE_STORE`, or why not."""
    rule = options.rule
    if rule is None or not rule.ttl_s or not rule.prolongs(response.status):
        return Reason.NO_USE
    _, source = _own(response, control, options, response_time)
    if not rule.force and source not in freshness.EXPLICIT and not _must_ask(control):
        return Reason.NO_USE
    return Reason.RULE_PERSONAL if options.shared and personal(request, response) else Reason.RULE_STORE


def _own(response: ResponseHead, control: Control, options: CacheOptions, response_time: float) -> tuple[int, Source]:
    return freshness.sourced_lifetime(response, control, shared=options.shared, response_time=response_time)


def _open_to_all(own: tuple[int, Source], control: Control) -> bool:
    """Whether the origin says that anybody may have it without its being asked, for a while."""
    return own[0] > 0 and own[1] in freshness.EXPLICIT and not _must_ask(control)


def _must_ask(control: Control) -> bool:
    return control.directives.unqualified("no-cache")
