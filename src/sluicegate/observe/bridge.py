"""What libraries say through `logging`, brought into our stream: warnings and worse, as the event `internal`."""

import logging
import traceback
from typing import Self

from sluicegate.core.events import Level, Notice, Stage
from sluicegate.core.ports import EventSink

_TOLD_ELSEWHERE = ("Client TLS handshake failed",)
"""Beginnings of messages for which the proxy has an event of its own, with the cure in it."""


class LogBridge(logging.Handler):
    """A handler for the root logger. Use as a context, or `install` and `remove`."""

    def __init__(self, events: EventSink) -> None:
        super().__init__(logging.WARNING)
        self._events = events

    def install(self) -> Self:
        """Listen to every logger that propagates."""
        logging.getLogger().addHandler(self)
        return self

    def remove(self) -> None:
        """Stop listening; idempotent."""
        logging.getLogger().removeHandler(self)
        self.close()

    def __enter__(self) -> Self:
        return self.install()

    def __exit__(self, *_exception: object) -> None:
        self.remove()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            notice = _notice(record)
        except Exception as error:  # a message whose arguments do not fit it
            notice = _internal(Level.WARNING, f"{record.msg} (not formatted: {error})", {"logger": record.name})
        if not notice.message.startswith(_TOLD_ELSEWHERE):
            self._events.emit(notice)


def _notice(record: logging.LogRecord) -> Notice:
    level = Level.ERROR if record.levelno >= logging.ERROR else Level.WARNING
    fields: dict[str, object] = {"logger": record.name}
    if (client := getattr(record, "client", None)) is not None:
        fields["client"] = str(client[0]) if isinstance(client, tuple) and client else str(client)
    if record.exc_info and record.exc_info[1] is not None:
        fields["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
    return _internal(level, record.getMessage(), fields)


def _internal(level: Level, message: str, fields: dict[str, object]) -> Notice:
    return Notice(Stage.LIFECYCLE, "internal", level, message, fields)
