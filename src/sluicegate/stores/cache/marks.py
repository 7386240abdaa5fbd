"""Which keys were invalidated while something was on its way to be stored under them, as far as this process knows."""

_REMEMBERED = 1 << 14


class Marks:
    """When each key was invalidated last, as a count of invalidations.

    The last `_REMEMBERED` keys at least are known exactly; all others count as invalidated when those before were forgotten,
    which costs what is on its way just then.
    """

    def __init__(self) -> None:
        self._count = 0
        self._forgotten = 0
        self._older: dict[int, int] = {}
        self._newer: dict[int, int] = {}

    def of(self, name: str) -> int:
        """The mark of a key: what was asked for under another one was invalidated meanwhile."""
        key = hash(name)
        return self._newer.get(key) or self._older.get(key) or self._forgotten

    def change_all(self) -> None:
        """All keys may have been invalidated."""
        self._count += 1
        self._older, self._newer, self._forgotten = {}, {}, self._count

    def change(self, name: str) -> None:
        """Take note of an invalidation."""
        self._count += 1
        self._newer[hash(name)] = self._count
        if len(self._newer) >= _REMEMBERED:
            self._older, self._newer, self._forgotten = self._newer, {}, self._count
