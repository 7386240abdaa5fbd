"""The user's own rules in sentences: what each changes, and which section it knowingly departs from."""

from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.caching.rules.queries import QueryRule
from sluicegate.core.caching.rules.rule_set import Rule
from sluicegate.core.text import human_seconds


def matched(rule: Rule) -> str:
    """Which requests it is for."""
    hosts = ", ".join(rule.hosts) or "every host"
    return f"{hosts}, {', '.join(rule.paths) or 'every path'}"


def effects(overrides: Overrides) -> list[str]:
    """What it changes, a sentence each; none for a rule that changes nothing."""
    if overrides.never:
        return ["never: nothing is stored, and nothing stored is used (RFC 9111 allows it)"]
    told = []
    if overrides.ttl_s is not None:
        told.append(
            f"ttl: fresh for {human_seconds(overrides.ttl_s)}, whatever the response says (not RFC 9111 §4.2.1)"
        )
    if overrides.force:
        told.append("force: what says nothing about caching is stored, too (not RFC 9111 §4.2.2)")
    if overrides.immutable:
        told.append(
            "immutable: a reload is answered from what is fresh (not RFC 9111 §5.2.1.1, §5.2.1.4; RFC 8246 §2.1)"
        )
    if overrides.ignore_client_no_cache:
        told.append("ignore_client_no_cache: a client's no-cache counts for nothing (not RFC 9111 §5.2.1.4)")
    return told if overrides.query is None else [*told, *_of_query(overrides.query)]


def _of_query(query: QueryRule) -> list[str]:
    told = []
    if query.everything:
        told.append("ignore_query: the query is no part of the key (not RFC 9111 §4)")
    elif query.ignored:
        told.append(
            f"ignore_query: parameters named {', '.join(query.ignored)} are no part of the key (not RFC 9111 §4)"
        )
    if query.sort:
        told.append("sort_query: the order of the query's parameters is no part of the key (not RFC 9111 §4)")
    return told
