"""The user's own rules: which of them counts for a request, and what the policy and the key are then.

The first rule that matches host and path counts, alone. What a rule may change is in `overrides`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.keys import cache_key, normal_path
from sluicegate.core.caching.rules.globs import glob
from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.http import RequestHead

_HOSTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Rule:
    """What changes for some URLs."""

    overrides: Overrides
    hosts: tuple[str, ...] = ()
    """Names, addresses, or `*.example.org` for all subdomains; in lower case. None: every host."""
    paths: tuple[str, ...] = ()
    """Patterns for the normalised path, `*` for any characters, `/` too. None: every path."""

    def covers_host(self, host: str) -> bool:
        """Whether it counts for a host (lower case, no final dot)."""
        if not self.hosts or host in self.hosts:
            return True
        _, dot, parent = host.partition(".")
        while dot:
            if f"*.{parent}" in self.hosts:
                return True
            _, dot, parent = parent.partition(".")
        return False

    def covers_all_of(self, other: "Rule") -> bool:
        """Whether it certainly matches all that `other` matches, by the patterns as they are written."""
        by_host = not self.hosts or (bool(other.hosts) and all(map(self.covers_host, other.hosts)))
        # A pattern that matches another one as text, asterisks included, matches all that the other does.
        covers_path = _pattern(self).match
        return by_host and (not self.paths or (bool(other.paths) and all(map(covers_path, other.paths))))


class RuleSet:
    """All rules over the options that hold without them. Without rules it adds next to nothing to a request.

    Options are the same object each time for the same rule: what is known of stored responses is kept by that.
    """

    __slots__ = ("_alike", "_by_host", "_options", "plain", "rules")

    def __init__(self, plain: CacheOptions, rules: Sequence[Rule] = ()) -> None:
        """`plain` are the options of requests that no rule matches."""
        self.plain = plain
        self.rules = tuple(rules)
        self._options = [_under(plain, rule.overrides) for rule in self.rules]
        self._by_host: dict[str, _Paths | None] = {}
        self._alike: dict[tuple[int, ...], _Paths] = {}

    def resolve(self, request: RequestHead) -> tuple[str, CacheOptions]:
        """The request's cache key and its options."""
        options = self.options(request) if self.rules else self.plain
        rule = options.rule
        return cache_key(request, None if rule is None else rule.query), options

    def options(self, request: RequestHead) -> CacheOptions:
        """The options for a request."""
        if not self.rules:
            return self.plain
        host = request.origin.host
        try:
            paths = self._by_host[host]
        except KeyError:
            paths = self._remember(host)
        return self.plain if paths is None else paths.options(request, self.plain)

    def key(self, request: RequestHead) -> str:
        """The key that a response to the request is stored under."""
        return self.resolve(request)[0]

    def keys(self, request: RequestHead) -> list[str]:
        """Every key that something stored for this URL may have: the present one, and the one without rules."""
        return list(dict.fromkeys((self.key(request), cache_key(request))))

    def match(self, request: RequestHead) -> int | None:
        """Which rule counts, from 0; None if none does."""
        host, path = _normal_host(request.origin.host), normal_path(request.target.partition("?")[0])
        found = (
            position
            for position, rule in enumerate(self.rules)
            if rule.covers_host(host) and _pattern(rule).match(path)
        )
        return next(found, None)

    def _remember(self, host: str) -> "_Paths | None":
        """What there is for a host, worked out once."""
        if len(self._by_host) >= _HOSTS_MAX:
            self._by_host.clear()
        name = _normal_host(host)
        positions = tuple(position for position, rule in enumerate(self.rules) if rule.covers_host(name))
        if not positions:
            paths = None
        elif (paths := self._alike.get(positions)) is None:
            paths = _Paths([self.rules[at] for at in positions], [self._options[at] for at in positions])
            self._alike[positions] = paths
        self._by_host[host] = paths
        return paths


class _Paths:
    """The rules of one host, tried in one go."""

    __slots__ = ("_every", "_options", "_pattern")

    def __init__(self, rules: Sequence[Rule], options: Sequence[CacheOptions]) -> None:
        self._options = options
        self._every = None if rules[0].paths else options[0]
        self._pattern = re.compile("|".join(f"({_pattern(rule).pattern})" for rule in rules))

    def options(self, request: RequestHead, otherwise: CacheOptions) -> CacheOptions:
        if self._every is not None:
            return self._every
        found = self._pattern.match(normal_path(request.target.partition("?")[0]))
        return otherwise if found is None or found.lastindex is None else self._options[found.lastindex - 1]


def _pattern(rule: Rule) -> re.Pattern[str]:
    """Matches the paths that the rule counts for; everything where it names none."""
    return re.compile("|".join(map(glob, rule.paths)))


def _normal_host(host: str) -> str:
    return host.lower().removesuffix(".")


def _under(plain: CacheOptions, overrides: Overrides) -> CacheOptions:
    """The options where a rule holds; the plain ones for a rule that only takes URLs from those after it."""
    if overrides == Overrides():
        return plain
    return replace(plain, enabled=plain.enabled and not overrides.never, rule=overrides)
