"""From settings to the objects that core decides with."""

from sluicegate.config.models import DefaultLimit, HostLimit, Settings
from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.interception import Interception
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.table import LimitTable

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


def limit_table(settings: Settings) -> LimitTable:
    """All limits, ready to be matched."""
    return LimitTable(default=default_limit(settings), hosts=host_limits(settings))


def cache_options(settings: Settings) -> CacheOptions:
    """What the cache policy needs to know."""
    return CacheOptions(
        shared=settings.cache.mode == "shared",
        enabled=settings.cache.mode != "off",
        targeted=tuple(name.lower().encode() for name in settings.cache.targeted),
    )


def max_entry_size(settings: Settings) -> int:
    """The largest response that is kept (bytes): never more than the whole cache."""
    return min(settings.cache.max_entry_size, settings.cache.max_size)


def interception(settings: Settings) -> Interception:
    """Whose TLS is opened."""
    return Interception(intercept=settings.https.mode == "intercept", tunnel=settings.https.tunnel)


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
