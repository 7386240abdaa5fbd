"""The thread between whoever logs and the disk: taking a line costs a microsecond and never waits.

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
    """Gathers lines for `interval_s` seconds and writes them; holds at most `max_pending` characters."""

    def __init__(
        self, output: Output, report: DropReport, *, interval_s: float = 0.25, max_pending: int = 8 * 1024 * 1024
    ) -> None:
        self._output = output
        self._report = report
        self._interval_s = interval_s
        self._max_pending = max_pending
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._size = 0
        self._overflowed = 0
        self._accepted = 0
        self._settled = 0
        self._owed = 0
        self._reason = ""
        self._some = threading.Event()
        self._urgent = threading.Event()
        self._closing = False
        self.dropped = 0
        """Lines that were never written, since the start."""
        self._thread = threading.Thread(target=self._run, name="sluicegate-log", daemon=True)
        self._thread.start()

    def put(self, line: str, *, urgent: bool = False) -> None:
        """Take a line, newline included."""
        with self._changed:
            if self._size + len(line) > self._max_pending or self._closing:
                self._overflowed += 1
                self.dropped += 1
                return
            self._lines.append(line)
            self._size += len(line)
            self._accepted += 1
            if len(self._lines) == 1:
                self._some.set()
        if urgent:
            self._urgent.set()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all lines taken so far are written or dropped; False when that took longer than `timeout_s`."""
        with self._changed:
            target = self._accepted
            self._urgent.set()
            return self._changed.wait_for(lambda: self._settled >= target, timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is there and stop; idempotent. An output that is stuck is left to itself after `timeout_s`."""
        with self._changed:
            self._closing = True
        self._urgent.set()
        self._some.set()
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._output.close()

    def _run(self) -> None:
        closing = False
        while not closing:
            self._some.wait(_RETRY_S if self._owed else None)
            self._urgent.wait(self._interval_s)
            self._urgent.clear()
            with self._changed:
                closing = self._closing
            self._write_pending()

    def _write_pending(self) -> None:
        with self._changed:
            lines, self._lines, self._size = self._lines, [], 0
            overflowed, self._overflowed = self._overflowed, 0
            if not self._closing:
                self._some.clear()
        if overflowed:
            self._owe(overflowed, "they came faster than they could be written")
        self._write(lines)
        with self._changed:
            self._settled += len(lines)
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
