"""In which order a host's addresses are tried (RFC 8305 §4)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, zip_longest

from sluicegate.upstream.settings import AddressInfo

_DOUBTFUL_S = 30.0
"""How long an address that failed, or was overtaken by the next, is tried last."""
_PREFERRED_S = 600.0
"""How long the address that worked is tried first: for ever would never go back to IPv6 after one bad moment."""
_MAX_ADDRESSES = 1_000

type _Address = tuple[object, ...]


class Routes:
    """Remembers which addresses worked. `now` is a clock in seconds that never goes back."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._doubtful: dict[_Address, float] = {}
        self._good: dict[_Address, float] = {}

    def order(self, infos: Sequence[AddressInfo]) -> list[AddressInfo]:
        """Families take turns, the resolver's first choice first; what worked last goes before, what failed behind."""
        now = self._now()

        def rank(info: AddressInfo) -> tuple[bool, float]:
            address = info[4]
            worked = self._good.get(address, now - _PREFERRED_S)
            return self._doubtful.get(address, now) > now, -max(worked, now - _PREFERRED_S)

        return sorted(_interleaved(infos), key=rank)

    def report(self, tried: Iterable[AddressInfo], winner: AddressInfo | None) -> None:
        """What came of the addresses that were tried: one worked, or none."""
        now = self._now()
        for info in tried:
            if info is not winner:
                _keep(self._doubtful, info[4], now + _DOUBTFUL_S)
                self._good.pop(info[4], None)
        if winner is not None:
            _keep(self._good, winner[4], now)
            self._doubtful.pop(winner[4], None)


def _interleaved(infos: Sequence[AddressInfo]) -> list[AddressInfo]:
    by_family: defaultdict[int, list[AddressInfo]] = defaultdict(list)
    for info in infos:
        by_family[info[0]].append(info)
    turns = chain.from_iterable(zip_longest(*by_family.values()))
    return [info for info in turns if info is not None]


def _keep(times: dict[_Address, float], address: _Address, time: float) -> None:
    times.pop(address, None)
    times[address] = time
    if len(times) > _MAX_ADDRESSES:
        del times[next(iter(times))]
