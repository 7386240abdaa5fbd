"""A sink for commands that make requests themselves: what went wrong, and what the origin answered."""

from sluicegate.core.events import Event, Level, Notice, UpstreamAnswered, UpstreamFailed

_MOST_NOTICES = 20
_MOST_ANSWERS = 20
_SEVERE = frozenset({Level.WARNING, Level.ERROR})


_HEARD = frozenset({Notice, UpstreamAnswered, UpstreamFailed})


class Witness:
    """An `EventSink`. `warnings` has each message of a warning or an error once, and no more than a screenful."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.answered: dict[str, UpstreamAnswered] = {}
        """The origin's last answer to each of the last requests, by their ids."""

        self.failed: dict[str, UpstreamFailed] = {}
        """How the way to the origin failed, likewise."""

    def wants(self, kind: type[Event]) -> bool:
        return kind in _HEARD

    def emit(self, event: Event) -> None:
        if isinstance(event, UpstreamAnswered):
            _remember(self.answered, event.request_id, event)
        elif isinstance(event, UpstreamFailed):
            _remember(self.failed, event.request_id, event)
        elif isinstance(event, Notice) and event.level in _SEVERE:
            self._warn(event.message)

    def _warn(self, message: str) -> None:
        if message not in self.warnings and len(self.warnings) < _MOST_NOTICES:
            self.warnings.append(message)


def _remember[T](events: dict[str, T], request_id: str, event: T) -> None:
    events[request_id] = event
    if len(events) > _MOST_ANSWERS:
        del events[next(iter(events))]
