"""The order in which those who wait are served: first come, first served."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator


class FifoQueue[T: Hashable]:
    """Who waits, in the order of arrival. Every operation takes constant time, leaving from the middle too."""

    def __init__(self) -> None:
        self._items: OrderedDict[T, None] = OrderedDict()

    def push(self, item: T) -> None:
        """Join at the end."""
        self._items[item] = None

    def first(self) -> T:
        """Who is next. Raises StopIteration when nobody waits."""
        return next(iter(self._items))

    def pop(self) -> T:
        """Take who is next. Raises KeyError when nobody waits."""
        return self._items.popitem(last=False)[0]

    def discard(self, item: T) -> None:
        """Leave, from wherever in the queue; nothing when not in it."""
        self._items.pop(item, None)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)
