"""One sink in front of many."""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from sluicegate.core.events import EVENT_TYPES, Event

_logger = logging.getLogger(__name__)

type Handler = Callable[[Any], None]


class Subscriber(Protocol):
    """An `EventSink` that says which events it wants."""

    def handler(self, kind: type[Event]) -> Handler | None:
        """What takes events of this class; None: they are of no interest now."""

    def wants(self, kind: type[Event]) -> bool:
        """Whether events of this class must be emitted; False also when another class tells it the same."""


class FanOut:
    """An `EventSink` that passes each event on to all who want it, in order.

    A subscriber that raises keeps the event from nobody; its first failure is reported, once. Who wants what is asked
    at the start and at each `refresh`, not for each event.
    """

    def __init__(self, *subscribers: Subscriber) -> None:
        self._subscribers = subscribers
        self._reported: set[Handler] = set()
        self.refresh()

    def refresh(self) -> None:
        """Ask the subscribers again what they want."""
        self._handlers: dict[type, tuple[Handler, ...]] = {
            kind: tuple(wanted for one in self._subscribers if (wanted := one.handler(kind)) is not None)
            for kind in EVENT_TYPES
        }
        self._wanted = frozenset(kind for kind in EVENT_TYPES if any(one.wants(kind) for one in self._subscribers))

    def wants(self, kind: type[Event]) -> bool:
        """Whether events of this class must be emitted; where not, what they would say may be left to `Access`."""
        return kind in self._wanted

    def emit(self, event: Event) -> None:
        for handle in self._handlers[type(event)]:
            try:
                handle(event)
            except Exception:
                if handle not in self._reported:
                    self._reported.add(handle)
                    _logger.exception("%s failed on %s", getattr(handle, "__qualname__", handle), type(event).__name__)
