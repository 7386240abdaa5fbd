"""Which limit a host falls under: its own name, then the longest wildcard, then the default."""

from collections.abc import Mapping

from sluicegate.core.limits.model import Limit

_CACHE_MAX = 10_000


class LimitTable:
    """The configured limits by host pattern.

    Patterns are host names, addresses, or `*.example.org`, which means every subdomain of example.org and not
    example.org itself. Names match whatever their case, with or without a final dot.
    """

    def __init__(self, default: Limit, hosts: Mapping[str, Limit]) -> None:
        self.default = default
        self._hosts = {normal_host(pattern): limit for pattern, limit in hosts.items()}
        self._matched: dict[str, tuple[Limit, str]] = {}

    def match(self, host: str) -> tuple[Limit, str]:
        """The host's limit and the key that its permits are counted under.

        The key is the host itself: under a wildcard or the default, each host has a count of its own.
        """
        found = self._matched.get(host)
        if found is None:
            key = normal_host(host)
            found = (self._find(key), key)
            if len(self._matched) >= _CACHE_MAX:
                self._matched.clear()
            self._matched[host] = found
        return found

    def _find(self, key: str) -> Limit:
        if key in self._hosts:
            return self._hosts[key]
        _, dot, parent = key.partition(".")
        while dot:
            wildcard = f"*.{parent}"
            if wildcard in self._hosts:
                return self._hosts[wildcard]
            _, dot, parent = parent.partition(".")
        return self.default


def normal_host(host: str) -> str:
    """The host as it is compared: lower case, without the final dot of a rooted name."""
    return host.lower().removesuffix(".")
