"""What the cache policy decides, each with its reason. Log, metrics, Cache-Status and explain read these values."""

from dataclasses import dataclass, field
from enum import Enum

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.http import RequestHead, ResponseHead


class Reason(Enum):
    """Why, with the section that says so."""

    FRESH = ("fresh", "RFC 9111 §4.2")
    STALE = ("stale", "RFC 9111 §4.2.4")
    URI_MISS = ("uri-miss", "RFC 9211 §2.2")
    VARY_MISS = ("vary-miss", "RFC 9111 §4.1")
    REQUEST_NO_CACHE = ("request", "RFC 9111 §5.2.1.4")
    RESPONSE_NO_CACHE = ("response-no-cache", "RFC 9111 §5.2.2.4")
    METHOD = ("method", "RFC 9111 §3")
    RANGE = ("partial", "RFC 9111 §3.3")
    PRECONDITION = ("precondition", "RFC 9111 §4.3.2")
    REQUEST_TOO_OLD = ("request-max-age", "RFC 9111 §5.2.1.1")
    ONLY_IF_CACHED = ("only-if-cached", "RFC 9111 §5.2.1.7")
    CACHE_OFF = ("bypass", "RFC 9211 §2.2")
    VALIDATED = ("validated", "RFC 9111 §4.3.3")
    REPLACED = ("replaced", "RFC 9111 §4.3.3")
    COMPLETED = ("completed", "RFC 9111 §3.4")
    STORABLE = ("storable", "RFC 9111 §3")
    NOT_UNDERSTOOD = ("status-not-understood", "RFC 9111 §3")
    NO_STORE = ("no-store", "RFC 9111 §5.2.2.5")
    REQUEST_NO_STORE = ("request-no-store", "RFC 9111 §5.2.1.5")
    VARIES_ALWAYS = ("vary-any", "RFC 9111 §4.1")
    NO_USE = ("no-freshness-no-validator", "RFC 9111 §3")
    PRIVATE = ("private", "RFC 9111 §5.2.2.7")
    AUTHORIZATION = ("authorization", "RFC 9111 §3.5")
    SET_COOKIE = ("set-cookie", "RFC 9111 §7.3")
    SEVERAL_USERS = ("several-users", "access")
    NOTHING_ALLOWS_STORING = ("not-explicit", "RFC 9111 §3")
    STALE_WHILE_REVALIDATE = ("stale-while-revalidate", "RFC 5861 §3")
    STALE_IF_ERROR = ("stale-if-error", "RFC 5861 §4")
    STALE_UNREACHABLE = ("stale-unreachable", "RFC 9111 §4.2.4")
    STALE_SLOW = ("stale-slow", "RFC 9111 §4.2.4")
    STALE_LIMITED = ("stale-limited", "RFC 9111 §4.2.4")
    STALE_QUEUE = ("stale-queue", "RFC 9111 §4.2.4")
    OFFLINE = ("offline", "RFC 9111 §4.2.4")
    RULE_TTL = ("rule-ttl", "cache.rules")
    RULE_STORE = ("rule-store", "cache.rules")
    RULE_NEVER = ("rule-never", "cache.rules")
    RULE_RELOAD = ("rule-reload", "cache.rules")
    RULE_PERSONAL = ("rule-personal", "cache.rules")

    # Each is there once. An Enum's own hash is a Python call, and decisions are told by looking reasons up.
    __hash__ = object.__hash__

    def __init__(self, token: str, section: str) -> None:
        self.token = token
        """The word that log and Cache-Status use."""
        self.section = section
        """Where it is written."""


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes of a body from `start` up to `end`, which is not one of them."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class StaleOptions:
    """When something stale is answered although the origin has not allowed it, as far as nothing forbids it."""

    unreachable_s: float = 86_400.0
    """Up to this staleness (seconds) where no answer is to be had from the origin; 0: not at all."""
    answer_after_s: float | None = 10.0
    """When an origin that has not answered counts as one that does not, in seconds; None: when the connection fails."""
    queue_s: float | None = None
    """The wait at the limiter (seconds) from which on the stale answer is better; None: never."""


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """What of the configuration the policy needs."""

    shared: bool = True
    several: bool = False
    """It is known that several people use the cache: see `privacy`."""
    enabled: bool = True
    targeted: tuple[bytes, ...] = ()
    """Fields that stand in for Cache-Control, in lower case, the first that counts first (RFC 9213)."""
    stale: StaleOptions = StaleOptions()
    offline: bool = False
    """No request leaves: what is stored is all there is."""
    rule: Overrides | None = None
    """What the user's own rule changes; `enabled` is false where it says never."""

    def ruled_key(self, key: str) -> str | None:
        """The cache key of a request with these options, if a rule had a say in it."""
        return key if self.rule is not None and self.rule.query is not None else None

    @property
    def off(self) -> Reason:
        """Why the cache has no part in it, where it is not `enabled`."""
        return Reason.RULE_NEVER if self.rule is not None and self.rule.never else Reason.CACHE_OFF


@dataclass(frozen=True, slots=True)
class Multipart:
    """A body of several parts (RFC 9110 §14.6): before each span of the stored body goes a heading, after the last `end`."""

    parts: tuple[tuple[bytes, Span], ...]
    end: bytes

    @property
    def length(self) -> int:
        """Bytes of the whole body."""
        return sum(len(heading) + span.end - span.start for heading, span in self.parts) + len(self.end)


@dataclass(slots=True)
class Hit:
    """Answer from `entry` with `head` (Age already set); no upstream request.

    `head.status` is 304 when the client's own condition holds (RFC 9111 §4.3.2), 416 when it asked for a range that is
    not there: then there is no body to send. It is 206 when `span` says which bytes of the stored body to send, or
    `multipart` which of them in several parts.
    """

    entry: StoredEntry
    head: ResponseHead
    ttl_s: int
    reason: Reason
    span: Span | None = None
    multipart: Multipart | None = None


@dataclass(slots=True)
class Revalidate:
    """Send `request`, which carries validators; what it answers decides about `candidates` (RFC 9111 §4.3)."""

    request: RequestHead
    original: RequestHead
    candidates: list[StoredEntry]
    reason: Reason
    state: object = None
    """The policy's own; opaque to others."""
    spare: bool = False
    """Something stored may do instead if the origin does not answer; ask `policy.instead` what."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A stored part, and what the origin is asked for to make it the whole (RFC 9111 §3.4)."""

    original: RequestHead
    request: RequestHead
    """The original with the range that is missing, if the version is still the same."""
    entry: StoredEntry
    missing: Span


@dataclass(slots=True)
class Forward:
    """Send `request` on; its response may be stored.

    `candidates` are replaced by the response, or invalidated if the method is unsafe (RFC 9111 §4.4). `completes` says
    that only what a stored part lacks is asked for.
    """

    request: RequestHead
    reason: Reason
    candidates: list[StoredEntry] = field(default_factory=list)
    completes: Completion | None = None
    spare: bool = False
    """As in `Revalidate`."""


@dataclass(slots=True)
class Refuse:
    """The origin must not be asked and nothing stored may be used: answer `head` (504), without a body."""

    head: ResponseHead
    reason: Reason


type Lookup = Hit | Revalidate | Forward | Refuse


@dataclass(slots=True)
class Store:
    """Give the response to the client with `head` and store it as `entry`, whose id the store assigns."""

    head: ResponseHead
    entry: StoredEntry
    reason: Reason
    remove: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Join:
    """The response is what the stored `part` lacks: give both to the client with `head`, and store both as `entry`.

    The body of `part` comes first if `part_first`, else after the response's.
    """

    head: ResponseHead
    entry: StoredEntry
    part: StoredEntry
    part_first: bool
    length: int
    """Bytes of both bodies together."""
    reason: Reason
    remove: list[str] = field(default_factory=list)


@dataclass(slots=True)
class PassOn:
    """Give the response to the client with `head`; store nothing, but freshen `updates`, which it tells something of."""

    head: ResponseHead
    reason: Reason
    remove: list[str] = field(default_factory=list)
    updates: list[StoredEntry] = field(default_factory=list)


@dataclass(slots=True)
class Freshened:
    """The stored `entry` was validated: freshen `updates` in the store, answer with `head` from `entry`.

    As with `Hit`, a `head.status` of 304 has no body.
    """

    entry: StoredEntry
    head: ResponseHead
    updates: list[StoredEntry]
    ttl_s: int
    reason: Reason
    remove: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Again:
    """A 304 that matches nothing stored, or a part that does not fit: send `forward` instead."""

    forward: Forward
    remove: list[str] = field(default_factory=list)


type Outcome = Store | Join | PassOn | Freshened | Again
