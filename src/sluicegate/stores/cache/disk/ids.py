"""Numbers for entries and for the states of their heads: unique on the directory, and never given twice.

A process takes blocks of them from the database. The upper bits name the database, so that one that begins anew in the
same directory gives other numbers.
"""

import sqlite3
from collections import deque

BLOCK = 1 << 16
_BLOCK_BITS = 40


class Ids:
    """The numbers that this process may give. The writer's thread refills what the event loop takes from."""

    def __init__(self, generation: int) -> None:
        self._base = generation << _BLOCK_BITS
        self._blocks: deque[tuple[int, int]] = deque()
        self._next = self._end = 0

    @property
    def low(self) -> bool:
        """Whether it is time for another block."""
        return len(self._blocks) < 1

    def refill(self, db: sqlite3.Connection) -> None:
        """Take a block. Inside a transaction. Raises sqlite3.Error."""
        number = db.execute("SELECT next_block FROM identity").fetchone()[0]
        db.execute("UPDATE identity SET next_block = next_block + 1")
        self._blocks.append((self._base + number * BLOCK, self._base + (number + 1) * BLOCK))

    def take(self) -> int:
        """A number; 0 when there are none until the next refill."""
        if self._next == self._end:
            if not self._blocks:
                return 0
            self._next, self._end = self._blocks.popleft()
        self._next += 1
        return self._next - 1
