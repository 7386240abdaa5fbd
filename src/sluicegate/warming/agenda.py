"""What to fetch next: the hosts take turns, so that a slow one keeps nobody waiting."""

from collections import deque
from collections.abc import Callable, Iterable

from sluicegate.core.urls import parse_url
from sluicegate.warming.lists import Wanted


class Agenda:
    """Gives out each URL once, first come first served within a host."""

    def __init__(self, wanted: Iterable[Wanted], bound: Callable[[str], int]) -> None:
        """`bound` says how many of a host may be under way at the same time."""
        self._waiting: dict[str, deque[Wanted]] = {}
        self._under_way: dict[str, int] = {}
        self._bound = bound
        for one in wanted:
            self._waiting.setdefault(_host(one), deque()).append(one)
        self._turns = deque(self._waiting)

    def take(self) -> Wanted | None:
        """The next one; None when there is none, or none that may begin before another is `done`."""
        if not self._turns:
            return None
        host = self._turns.popleft()
        one = self._waiting[host].popleft()
        self._under_way[host] = self._under_way.get(host, 0) + 1
        if self._may_begin(host):
            self._turns.append(host)
        return one

    def done(self, one: Wanted) -> None:
        """What was taken has ended."""
        host = _host(one)
        had_a_turn = self._may_begin(host)
        self._under_way[host] -= 1
        if not had_a_turn and self._may_begin(host):
            self._turns.append(host)

    def _may_begin(self, host: str) -> bool:
        return bool(self._waiting[host]) and self._under_way.get(host, 0) < self._bound(host)


def _host(one: Wanted) -> str:
    return parse_url(one.url)[0].host
