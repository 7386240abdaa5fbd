"""The order in which those who wait are served: first come, first served."""

from collections import OrderedDict
from collections.abc import Hashable


class FifoQueue[T: Hashable](OrderedDict[T, None]):
    """Who waits, in the order of arrival. Every operation takes constant time, leaving from the middle too.

    A dictionary by inheritance: whether anybody waits is asked several times for each request, and costs no call so.
    """

    def push(self, item: T) -> None:
        """Join at the end."""
        self[item] = None

    def first(self) -> T:
        """Who is next. Raises StopIteration when nobody waits."""
        return next(iter(self))

    def take(self) -> T:
        """Take who is next. Raises KeyError when nobody waits."""
        return self.popitem(last=False)[0]

    def discard(self, item: T) -> None:
        """Leave, from wherever in the queue; nothing when not in it."""
        self.pop(item, None)
