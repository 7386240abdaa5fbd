"""What goes into the engine and what comes out."""

from dataclasses import dataclass, field

from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.http import FieldList, RequestHead, ResponseHead
from sluicegate.core.ports import BodyReader
from sluicegate.exchange.sent import Sent
from sluicegate.gate.gate import Pace


@dataclass(slots=True)
class Call:
    """One request on its way, and what is learned about it meanwhile (the access line's source)."""

    request_id: str
    client: str
    """The client's address, as the log shows it."""
    request: RequestHead
    body: BodyReader | None = None
    """None: the request has no body at all."""
    user: str = ""
    may_use_cache: bool = True
    plain: bool = False
    """Known to be a GET or HEAD with no field that has a say in caching, loops or framing, but perhaps Authorization."""
    nothing: tuple[str, CacheOptions] | None = None
    """Just now, certainly nothing was stored: under which key, and the options; see `hits.Nothing`."""
    started: float = 0.0
    """When the request arrived (`Clock.now`)."""
    cache: str = "none"
    reason: str = ""
    """Why the cache did so; empty where an event of its own has told it."""
    stored: bool = False
    ruled_key: str | None = None
    """The cache key where a rule of the user's own made it."""
    sent: Sent | None = None
    """It has left already, and who forwards it goes on from there."""
    pace: Pace | None = None
    """What holds it up, where somebody wants to know."""
    background: bool = False
    """It is for the store; no client waits for it."""
    limit_key: str = ""
    wait_s: float = 0.0
    error: str = ""


@dataclass(slots=True)
class Answer:
    """A response: its head has end-to-end fields only, framing is the adapter's."""

    head: ResponseHead
    body: BodyReader

    @property
    def fields(self) -> FieldList:
        """The head's fields."""
        return self.head.fields


@dataclass(frozen=True, slots=True)
class Identity:
    """How this proxy names itself."""

    pseudonym: bytes
    """Unique to the installation; stands in Via, so that a loop is noticed."""
    name: str = field(default="Sluicegate")
    """Stands in Cache-Status and Proxy-Status."""
