"""From settings to the objects that core decides with."""

from dataclasses import replace

from sluicegate.config.models import CacheRule, DefaultLimit, HostLimit, Settings
from sluicegate.core.caching.decisions import CacheOptions, StaleOptions
from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.caching.rules.queries import QueryRule
from sluicegate.core.caching.rules.rule_set import Rule, RuleSet
from sluicegate.core.http import RequestHead
from sluicegate.core.interception import Interception
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.table import LimitTable
from sluicegate.core.urls import parse_url

DEFAULT_LIMIT = "default"
"""The name of the limit of hosts that have none of their own."""


def default_limit(settings: Settings) -> Limit:
    """`limits.default`."""
    return _limit(DEFAULT_LIMIT, settings.limits.default, HostLimit())


def host_limits(settings: Settings) -> dict[str, Limit]:
    """Pattern -> limit, in the order of the file; what an entry does not say it has from `limits.default`."""
    limits = settings.limits
    return {pattern: _limit(pattern, limits.default, entry) for pattern, entry in limits.hosts.items()}


def all_limits(settings: Settings) -> list[Limit]:
    """Every limit there is, the default first."""
    return [default_limit(settings), *host_limits(settings).values()]


def limit_table(settings: Settings, *, max_wait_s: float | None = None) -> LimitTable:
    """All limits, ready to be matched; `max_wait_s` stands in for the `max_wait` of each."""
    default, hosts = default_limit(settings), host_limits(settings)
    if max_wait_s is not None:
        default = replace(default, max_wait_s=max_wait_s)
        hosts = {pattern: replace(limit, max_wait_s=max_wait_s) for pattern, limit in hosts.items()}
    return LimitTable(default=default, hosts=hosts)


def cache_options(settings: Settings) -> CacheOptions:
    """What the cache policy needs to know."""
    return CacheOptions(
        shared=settings.cache.mode == "shared",
        several=bool(settings.access.allow or settings.access.users),
        enabled=settings.cache.mode != "off",
        targeted=tuple(name.lower().encode() for name in settings.cache.targeted),
        stale=StaleOptions(
            unreachable_s=settings.cache.stale.unreachable,
            answer_after_s=settings.cache.stale.answer_after,
            queue_s=settings.cache.stale.queue,
        ),
        offline=settings.cache.offline,
    )


def cache_rules(settings: Settings) -> RuleSet:
    """The user's own rules over `cache_options`."""
    return RuleSet(cache_options(settings), [_rule(entry) for entry in settings.cache.rules])


def cache_keys(url: str, settings: Settings) -> list[str]:
    """The keys of what may be stored for a URL: under the rules in force, and from when there were none. Raises NotAUrl."""
    return cache_rules(settings).keys(RequestHead("GET", *parse_url(url)))


def max_entry_size(settings: Settings) -> int:
    """The largest response that is kept (bytes): never more than the whole cache."""
    return min(settings.cache.max_entry_size, settings.cache.max_size)


def interception(settings: Settings) -> Interception:
    """Whose TLS is opened."""
    return Interception(intercept=settings.https.mode == "intercept", tunnel=settings.https.tunnel)


def _rule(entry: CacheRule) -> Rule:
    everything = entry.ignore_query == ("*",)
    query = None
    if entry.ignore_query or entry.sort_query:
        query = QueryRule(() if everything else entry.ignore_query, everything=everything, sort=entry.sort_query)
    overrides = Overrides(
        ttl_s=entry.ttl,
        force=entry.force,
        never=entry.never,
        immutable=entry.immutable,
        ignore_client_no_cache=entry.ignore_client_no_cache,
        query=query,
    )
    return Rule(overrides, entry.hosts, entry.paths)


def _limit(name: str, default: DefaultLimit, entry: HostLimit) -> Limit:
    def either[T](own: T | None, inherited: T) -> T:
        return inherited if own is None else own

    return Limit(
        name=name,
        rates=either(entry.rates, default.rates),
        concurrency=either(entry.concurrency, default.concurrency),
        max_wait_s=either(entry.max_wait, default.max_wait),
        max_queue=either(entry.max_queue, default.max_queue),
        burst=either(entry.burst, default.burst),
    )
