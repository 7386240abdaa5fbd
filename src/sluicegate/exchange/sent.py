"""A request that was written in one call, and is still to be answered."""

from dataclasses import dataclass

from sluicegate.core.http import ResponseHead
from sluicegate.core.ports import BodyReader, UpstreamConnection
from sluicegate.gate.turn import Turn


@dataclass(slots=True)
class Received:
    """An origin's response, its head cleaned of what concerned that connection only."""

    head: ResponseHead
    body: BodyReader
    request_time: float
    """When the request was sent (Unix seconds)."""
    response_time: float
    """When the head came (Unix seconds)."""


@dataclass(slots=True)
class Sent:
    """What a request holds that has left: its place at the gate, and its connection."""

    turn: Turn
    connection: UpstreamConnection
    at: float
    """When it left, or came to the gate in the same call, by `Clock.now`."""
    request_time: float
    """The same in Unix seconds."""
    received: Received | None = None
    """The response, once somebody has looked and it was there whole; nothing is held any more then."""

    def abandon(self) -> None:
        """Give up the response; idempotent."""
        self.connection.abandon()
        self.turn.leave()
