"""The log: one line an event, rendered once, written by a thread of its own.

structlog carries every line but `access`: its chain masks, its logger is private (nothing here is process-wide).
"""

import atexit
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from sluicegate.clock import Clock
from sluicegate.core.events import Access, Event, Level, Stage
from sluicegate.observe.mask import mask_value
from sluicegate.observe.output import FileOutput, Output, StreamOutput
from sluicegate.observe.records import SEVERITY, RareEvent, highest_level, level_of, record_of
from sluicegate.observe.render import JsonLines, Renderer, TextLines
from sluicegate.observe.writer import Writer

type Format = Literal["auto", "json", "text"]

_OURS = frozenset({"ts", "level", "event", "stage", "message", "self"})
"""Names that a notice's own fields cannot take."""


class Log:
    """An `EventSink` that writes lines. It never raises and never blocks, whatever becomes of its output."""

    def __init__(self, output: Output, renderer: Renderer, clock: Clock, *, level: Level = Level.INFO) -> None:
        self._render = renderer
        self._wall = clock.wall
        self._writer = Writer(output, self._drop_report)
        self._put = self._writer.put
        self._structlog = structlog.wrap_logger(
            _Lines(self._writer),
            processors=[structlog.processors.add_log_level, _mask, self._finish],
            wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
            context_class=dict,
        ).bind()
        self.set_level(level)
        atexit.register(self.close)

    @property
    def dropped(self) -> int:
        """Lines that could not be written, since the start."""
        return self._writer.dropped

    def set_level(self, level: Level) -> None:
        """From now on, write lines of this level and above."""
        self._threshold = SEVERITY[level]
        self._access = self._threshold <= logging.INFO

    def handler(self, kind: type[Event]) -> Callable[[Any], None] | None:
        """What writes events of this class; None for those that no level of theirs lets through."""
        if kind is Access:
            return self._write_access if self._access else None
        return self.emit if SEVERITY[highest_level(kind)] >= self._threshold else None

    def wants(self, kind: type[Event]) -> bool:
        """Whether events of this class may come out as lines."""
        return self.handler(kind) is not None

    def _write_access(self, event: Access) -> None:
        self._put(self._render.access(event, self._wall()))

    def emit(self, event: Event) -> None:
        if isinstance(event, Access):
            if self._access:
                self._write_access(event)
        elif SEVERITY[level := level_of(event)] >= self._threshold:
            self._rare(event, level)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until every line so far is written or dropped; False after `timeout_s`."""
        return self._writer.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is left and stop; idempotent. Later lines are lost."""
        atexit.unregister(self.close)
        self._writer.close(timeout_s)

    def _rare(self, event: RareEvent, level: Level) -> None:
        record = record_of(event)
        fields = {f"field_{name}" if name in _OURS else name: value for name, value in record.fields.items()}
        if record.message:
            fields = {"message": record.message} | fields
        self._structlog.bind(**fields).log(SEVERITY[level], record.event, stage=record.stage.value)

    def _finish(self, _logger: WrappedLogger, _method: str, record: EventDict) -> str:
        return self._render.rare(record, self._wall())

    def _drop_report(self, count: int, reason: str) -> str:
        record = {
            "level": Level.WARNING.value,
            "event": "log_lines_dropped",
            "stage": Stage.LIFECYCLE.value,
            "message": f"{count} log lines could not be written: {reason}.",
            "count": count,
        }
        return self._render.rare(record, self._wall())


class _Lines:
    """What structlog writes to: the level's method takes the finished line."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def info(self, line: str) -> None:
        self._writer.put(line)

    def error(self, line: str) -> None:
        self._writer.put(line, urgent=True)

    debug = info
    warning = error


def _mask(_logger: WrappedLogger, _method: str, record: EventDict) -> EventDict:
    return {name: mask_value(name, value) for name, value in record.items()}


def open_log(
    file: Path | None,
    *,
    clock: Clock,
    level: Level = Level.INFO,
    fmt: Format = "auto",
    rotate_size: int = 0,
    rotate_keep: int = 5,
    stream: TextIO | None = None,
    environ: Mapping[str, str] | None = None,
) -> Log:
    """The log as configured: to `file`, or else to `stream` (standard output).

    `auto` is text for a terminal and JSON for everything else. NO_COLOR and FORCE_COLOR decide about colour when they
    are set. `rotate_size` in bytes, 0 for never. Raises StartError when the file cannot be opened.
    """
    stream = stream or sys.stdout
    environ = os.environ if environ is None else environ
    terminal = file is None and stream.isatty()
    output: Output
    if file is None:
        output = StreamOutput(stream.fileno())
    else:
        output = FileOutput(file, rotate_size=rotate_size, rotate_keep=rotate_keep)
    renderer: Renderer
    if fmt == "text" or (fmt == "auto" and terminal):
        renderer = TextLines(colour=wants_colour(environ, terminal=terminal))
    else:
        renderer = JsonLines()
    return Log(output, renderer, clock, level=level)


def wants_colour(environ: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether to colour: never with NO_COLOR, always with FORCE_COLOR, else on a terminal that can."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return terminal and environ.get("TERM") != "dumb"
