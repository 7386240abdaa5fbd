"""The whole explanation: what `sluicegate explain --json` prints."""

from dataclasses import asdict, dataclass, field
from typing import Any

from sluicegate.core.access import AccessPolicy
from sluicegate.core.interception import Interception
from sluicegate.errors import DestinationForbidden
from sluicegate.explain.decision import CacheView
from sluicegate.explain.fetched import Fetched
from sluicegate.explain.limits import LimitView

VERSION = 1
"""Of the document; it changes when a member goes or means something else."""


@dataclass(frozen=True, slots=True)
class Route:
    """What happens before the cache is asked."""

    https: str | None
    """`intercept` or `tunnel`; None for plain http."""
    forbidden: str | None
    """Why the destination is refused (403); None: it is not."""
    advice: str | None
    """What to do about it."""
    guarded: bool
    """Addresses are checked once more when the name is resolved: private ones are refused."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What a running proxy says of the limit's key."""

    proxy: str
    """Where it listens."""
    waiting: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is known about a request."""

    method: str
    url: str
    fields: list[str]
    mode: str
    """`cache.mode`."""
    store: str
    """`cache.store`."""
    route: Route
    cache: CacheView | None
    """None where the cache never sees the request."""
    limit: LimitView
    queue: Queue | None = None
    """None where no running proxy could be asked."""
    remarks: list[str] = field(default_factory=list)
    """What could not be known, and what went wrong while looking."""
    fetched: Fetched | None = None

    def document(self) -> dict[str, Any]:
        """It as JSON has it."""
        return {"version": VERSION, **asdict(self)}


def route(host: str, scheme: str, interception: Interception, access: AccessPolicy) -> Route:
    """What happens to a request for `host` before the cache is asked."""
    https = None
    if scheme == "https":
        https = "tunnel" if interception.tunnels(host) else "intercept"
    forbidden: DestinationForbidden | None = None
    try:
        access.admit_host(host)
    except DestinationForbidden as error:
        forbidden = error
    return Route(
        https=https,
        forbidden=None if forbidden is None else str(forbidden),
        advice=None if forbidden is None else forbidden.advice,
        guarded=not access.allow_private,
    )
