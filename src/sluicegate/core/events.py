"""What happens, as values: the log, the metrics and the status page read these and decide nothing.

Hot events have a class of their own; everything rarer is a `Notice`.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Stage(StrEnum):
    """The part of the proxy that speaks; the log's `stage`."""

    ACCESS = "access"
    LIMITER = "rate-limiter"
    CACHE = "cache"
    UPSTREAM = "upstream"
    TLS = "tls"
    CONFIG = "config"
    ADMIN = "admin"
    LIFECYCLE = "lifecycle"


class Level(StrEnum):
    """The log's `level`."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(slots=True)
class Access:
    """One finished exchange: what the access line says. Log event `access`."""

    request_id: str
    client: str
    method: str
    url: str
    host: str
    status: int
    bytes_sent: int
    duration_s: float
    wait_s: float
    cache: str
    """`hit`, `collapsed`, `miss`, `revalidated`, `stale`, `bypass`, `tunnel` or `none` (answered by the proxy itself)."""
    limit_key: str = ""
    error: str = ""
    """Empty, or the RFC 9209 error type; `client_gone` when the client left before the end."""
    user: str = ""
    reason: str = ""
    """Why the cache did so, unless a `CacheDecided` of its own told it; not in the line."""
    stored: bool = False
    """Whether the response was chosen to be stored; goes with `reason`."""


@dataclass(slots=True)
class Permitted:
    """A limit let a request go; a host without rates gives no permits. Log event `permit` (debug, info when it waited)."""

    request_id: str
    host: str
    limit_key: str
    wait_s: float
    queue_length: int
    in_flight: int


@dataclass(slots=True)
class Rejected:
    """The limiter refused. Log event `reject`; `why` is `queue_full`, `max_wait` or `unavailable`."""

    request_id: str
    host: str
    limit_key: str
    why: str
    retry_after_s: float
    queue_length: int


@dataclass(slots=True)
class Abandoned:
    """A client left the limiter's queue; nothing was spent. Log event `abandon`."""

    request_id: str
    host: str
    limit_key: str
    wait_s: float


@dataclass(slots=True)
class CacheDecided:
    """What the cache decided for a request, and why. Log event `cache`.

    Where nobody wants it for itself, `Access.reason` tells it at half the price.
    """

    request_id: str
    url: str
    outcome: str
    reason: str
    section: str
    stored: bool = False


@dataclass(slots=True)
class UpstreamAnswered:
    """An origin's response head came. Log event `response`."""

    request_id: str
    host: str
    status: int
    duration_s: float
    reused: bool


@dataclass(slots=True)
class UpstreamFailed:
    """An exchange with an origin failed. Log event `failure`; `error` is the RFC 9209 type."""

    request_id: str
    host: str
    error: str
    message: str


@dataclass(slots=True)
class Notice:
    """Anything else, told by name. `fields` are plain values for the log line."""

    stage: Stage
    event: str
    level: Level
    message: str
    fields: dict[str, object] = field(default_factory=dict)


type Event = Access | Permitted | Rejected | Abandoned | CacheDecided | UpstreamAnswered | UpstreamFailed | Notice

EVENT_TYPES: tuple[type[Event], ...] = (
    Access,
    Permitted,
    Rejected,
    Abandoned,
    CacheDecided,
    UpstreamAnswered,
    UpstreamFailed,
    Notice,
)
"""Every class of event."""
