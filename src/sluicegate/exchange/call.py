"""What goes into the engine and what comes out."""

from dataclasses import dataclass, field

from sluicegate.core.http import FieldList, RequestHead, ResponseHead
from sluicegate.core.ports import BodyReader


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
    started: float = 0.0
    """When the request arrived (`Clock.now`)."""
    cache: str = "none"
    reason: str = ""
    """Why the cache did so; empty where an event of its own has told it."""
    stored: bool = False
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
