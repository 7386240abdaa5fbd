"""A bounded set of label values: configured hosts by name, the first of the rest, and `other`."""

from collections.abc import Iterable

from sluicegate.core.text import clean, clip

OTHER = "other"
_LONGEST_NAME = 253
_KNOWN = 1000


class HostLabels:
    """Maps a request's host to the value of its `host` label.

    A configured name keeps its own, a host that a configured wildcard matches takes the wildcard's, up to `cap` others
    keep theirs for good, in the order they come, and then all share `other`.
    """

    def __init__(self, configured: Iterable[str] = (), *, cap: int = 100) -> None:
        self._cap = cap
        self._others: set[str] = set()
        self.known: dict[str, str] = {}
        """The labels of hosts met lately: where to look before the host's label is worked out."""
        self.configure(configured)

    def configure(self, configured: Iterable[str]) -> None:
        """Take the names and wildcards of a new configuration; the hosts met so far keep their labels."""
        self._configured = frozenset(name.lower() for name in configured)
        self.known.clear()

    def __call__(self, host: str) -> str:
        label = self.known.get(host)
        if label is None:
            label = self._choose(host)
            if len(self.known) >= _KNOWN:
                self.known.clear()
            if len(host) <= _LONGEST_NAME:
                self.known[host] = label
        return label

    def _choose(self, host: str) -> str:
        name = clip(clean(host.lower().rstrip(".")), _LONGEST_NAME)
        if name in self._configured:
            return name
        parent = name
        while (dot := parent.find(".")) >= 0:
            parent = parent[dot + 1 :]
            if (pattern := f"*.{parent}") in self._configured:
                return pattern
        if name not in self._others:
            if len(self._others) >= self._cap:
                return OTHER
            self._others.add(name)
        return name
