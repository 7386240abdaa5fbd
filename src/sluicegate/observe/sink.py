"""One sink in front of many."""

import logging

from sluicegate.core.events import Event
from sluicegate.core.ports import EventSink

_logger = logging.getLogger(__name__)


class FanOut:
    """An `EventSink` that passes each event on to all others, in order.

    A sink that breaks its promise and raises keeps the event from nobody; its first failure is reported, once.
    """

    def __init__(self, *sinks: EventSink) -> None:
        self._sinks = sinks
        self._reported: set[int] = set()

    def emit(self, event: Event) -> None:
        for sink in self._sinks:
            try:
                sink.emit(event)
            except Exception:
                if id(sink) not in self._reported:
                    self._reported.add(id(sink))
                    _logger.exception("%s failed on %s", type(sink).__name__, type(event).__name__)
