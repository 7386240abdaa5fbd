"""The thread between whoever logs and the disk: taking a line costs a tenth of a microsecond and never waits.

Lines gather for a moment and are written in one go; an urgent one takes all before it along at once. When the output
fails (disk full, reader gone) or is slower than what comes, lines are dropped and counted, and the first batch that can
be written again begins with a line that says how many.
"""

import threading
from collections.abc import Callable

from sluicegate.observe.output import Output

type DropReport = Callable[[int, str], str]
"""Makes the line that owns up to so many dropped lines, for such a reason."""

_RETRY_S = 1.0
"""How often an output that failed is tried again when nothing new is logged."""


class Writer:
    """Gathers lines for `interval_s` seconds and writes them; holds at most `max_pending` characters.

    Whoever logs takes no lock: `list.append`, and a slice and its deletion from the front, are each one step for all
    threads. The sum of the characters is not; two threads that add at the same moment can lose one line's share, which
    is made good when the lines are taken.
    """

    def __init__(
        self, output: Output, report: DropReport, *, interval_s: float = 0.25, max_pending: int = 8 * 1024 * 1024
    ) -> None:
        self._output = output
        self._report = report
        self._interval_s = interval_s
        self._room = max_pending
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._size = 0
        self._overflowed = 0
        self._taken = 0
        self._settled = 0
        self._owed = 0
        self._reason = ""
        self._idle = False
        self._some = threading.Event()
        self._urgent = threading.Event()
        self._closing = False
        self.dropped = 0
        """Lines that were never written, since the start."""
        self._thread = threading.Thread(target=self._run, name="sluicegate-log", daemon=True)
        self._thread.start()

    def put(self, line: str, *, urgent: bool = False) -> None:
        """Take a line, newline included."""
        size = self._size + len(line)
        if size > self._room:
            self._refuse()
            return
        self._size = size
        self._lines.append(line)
        if self._idle:
            self._idle = False
            self._some.set()
        if urgent:
            self._urgent.set()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all lines taken so far are written or dropped; False when that took longer than `timeout_s`."""
        with self._changed:
            target = self._taken + len(self._lines)
            self._urgent.set()
            return self._changed.wait_for(lambda: self._settled >= target, timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is there and stop; idempotent. An output that is stuck is left to itself after `timeout_s`."""
        with self._changed:
            self._closing = True
            self._room = -1
        self._urgent.set()
        self._some.set()
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._output.close()

    def _refuse(self) -> None:
        with self._changed:
            self._overflowed += 1
            self.dropped += 1

    def _run(self) -> None:
        closing = False
        while not closing:
            self._wait_for_some()
            self._urgent.wait(self._interval_s)
            self._urgent.clear()
            with self._changed:
                closing = self._closing
            self._write_pending()

    def _wait_for_some(self) -> None:
        self._idle = True
        # A line that came before this was said has woken nobody.
        if not (self._lines or self._closing):
            self._some.wait(_RETRY_S if self._owed else None)
        self._idle = False
        self._some.clear()

    def _write_pending(self) -> None:
        with self._changed:
            count = len(self._lines)
            lines = self._lines[:count]
            del self._lines[:count]
            self._size = sum(map(len, self._lines))
            self._taken += count
            overflowed, self._overflowed = self._overflowed, 0
        if overflowed:
            self._owe(overflowed, "they came faster than they could be written")
        self._write(lines)
        with self._changed:
            self._settled += count
            self._changed.notify_all()

    def _write(self, lines: list[str]) -> None:
        if not (lines or self._owed):
            return
        report = [self._report(self._owed, self._reason)] if self._owed else []
        try:
            self._output.write("".join([*report, *lines]).encode("utf-8", "replace"))
        except (OSError, ValueError) as error:
            self._owe(len(lines), getattr(error, "strerror", None) or str(error))
            with self._changed:
                self.dropped += len(lines)
        else:
            self._owed = 0

    def _owe(self, count: int, reason: str) -> None:
        self._owed += count
        self._reason = reason
