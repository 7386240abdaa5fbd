"""The open connections by origin, and which of them wait for their next exchange."""

from collections import OrderedDict
from collections.abc import Iterator

from sluicegate.core.http import Origin
from sluicegate.upstream.wire import Shelf, Wire


class Shelves:
    """All open connections. Of an origin's idle ones, the one used last is taken first; over all, the oldest is known."""

    __slots__ = ("_by_age", "_by_origin")

    def __init__(self) -> None:
        self._by_age: OrderedDict[Wire, None] = OrderedDict()
        self._by_origin: dict[str, Shelf] = {}
        """By the origin's text, whose hash is known already."""

    def __iter__(self) -> Iterator[Shelf]:
        return iter(self._by_origin.values())

    @property
    def idle(self) -> int:
        """How many wait, of all origins."""
        return len(self._by_age)

    @property
    def oldest(self) -> Wire | None:
        """The one that has waited longest."""
        return next(iter(self._by_age), None)

    def add(self, wire: Wire) -> None:
        """A connection was opened; it is in use."""
        shelf = self._by_origin.get(wire.origin.text)
        if shelf is None:
            self._by_origin[wire.origin.text] = shelf = Shelf(wire.origin)
        shelf.open += 1
        wire.shelf = shelf

    def remove(self, wire: Wire) -> None:
        """A connection is gone, whatever it did. Once only."""
        shelf = wire.shelf
        self.discard(wire)
        shelf.open -= 1
        if not shelf.open:
            del self._by_origin[wire.origin.text]

    def put(self, wire: Wire) -> None:
        """The connection waits from now on."""
        self._by_age[wire] = None
        wire.shelf.idle.append(wire)

    def take(self, origin: Origin) -> Wire | None:
        """The idle connection of this origin that was used last, if there is one; it is in use from now on."""
        shelf = self._by_origin.get(origin.text)
        if shelf is None or not shelf.idle:
            return None
        wire = shelf.idle.pop()
        del self._by_age[wire]
        return wire

    def discard(self, wire: Wire) -> None:
        """The connection waits no longer, if it did."""
        if wire in self._by_age:
            del self._by_age[wire]
            wire.shelf.idle.remove(wire)
