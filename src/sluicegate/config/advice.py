"""What is allowed in a configuration and yet worth a word: told by `check`, and at the start."""

from collections.abc import Iterator
from dataclasses import dataclass

from sluicegate.config.compile import cache_rules, default_limit, host_limits
from sluicegate.config.models import Settings
from sluicegate.config.yaml_tree import KeyPath, dotted
from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.rates import format_rate
from sluicegate.core.text import human_seconds


@dataclass(frozen=True, slots=True)
class Advice:
    """One remark on one key."""

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}"


def advise(settings: Settings) -> list[Advice]:
    """All remarks, in the order of the file's sections."""
    return [*_on_exposure(settings), *_on_limits(settings), *_on_cache(settings)]


def _on_exposure(settings: Settings) -> Iterator[Advice]:
    if settings.admin is not None and not settings.admin.is_loopback:
        yield Advice("admin", "other machines can reach it; it asks for no password and shows which hosts are asked")
    for index, network in enumerate(settings.access.allow):
        if network.prefixlen == 0 and not settings.access.users:
            yield Advice(dotted(("access", "allow", index)), "lets every address use the proxy, without a password")


def _on_limits(settings: Settings) -> Iterator[Advice]:
    yield from _on_limit(default_limit(settings), ("limits", "default"))
    for pattern, limit in host_limits(settings).items():
        yield from _on_limit(limit, ("limits", "hosts", pattern))


def _on_limit(limit: Limit, path: KeyPath) -> Iterator[Advice]:
    """Rates that never bite beside others, waits that no one can live through, bursts that cannot happen."""
    rates = dotted((*path, "rates"))
    for rate in limit.rates:
        stricter = next((o for o in limit.rates if o.window_s > rate.window_s and o.count <= rate.count), None)
        if stricter is not None:
            yield Advice(rates, f"{format_rate(rate)} is never reached, since {format_rate(stricter)} allows less")
    if limit.rates and limit.spacing_s > limit.max_wait_s:
        yield Advice(
            dotted((*path, "max_wait")),
            f"under load a request leaves every {human_seconds(limit.spacing_s)}, but none waits longer than "
            f"{human_seconds(limit.max_wait_s)}: most that have to wait are refused",
        )
    smallest = min((rate.count for rate in limit.rates), default=None)
    if limit.burst is not None and smallest is not None and limit.burst > smallest:
        yield Advice(dotted((*path, "burst")), f"is more than the rates let through at once, {smallest}")


def _on_cache(settings: Settings) -> Iterator[Advice]:
    if settings.cache.mode == "private" and settings.access.allow and not settings.access.users:
        yield Advice("cache.mode", "private keeps what is meant for one user, and several can use this proxy")
    yield from _on_rules(settings)


def _on_rules(settings: Settings) -> Iterator[Advice]:
    """Rules that nothing comes to, or that change nothing."""
    rules = cache_rules(settings).rules
    for index, rule in enumerate(rules):
        key = dotted(("cache", "rules", index))
        before = next((i for i in range(index) if rules[i].covers_all_of(rule)), None)
        if before is not None:
            yield Advice(key, f"never counts, since cache.rules[{before}] matches all that it matches")
        elif rule.overrides == Overrides():
            yield Advice(key, "changes nothing; what it matches is kept from the rules after it")
