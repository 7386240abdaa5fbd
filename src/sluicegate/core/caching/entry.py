"""A stored response, as the policy sees it (RFC 9111 §3)."""

from dataclasses import dataclass, field

from sluicegate.core.http import RequestHead, ResponseHead


@dataclass(slots=True)
class StoredEntry:
    """A stored response with the request that brought it. The body stays in the store."""

    id: str
    """Given by the store; empty until then."""
    request: RequestHead
    """Method, origin, target and the fields that Vary may ask for; never credentials in the clear log."""
    response: ResponseHead
    request_time: float
    """When the request was sent (Unix seconds), RFC 9111 §4.2.3."""
    response_time: float
    """When the response head was received (Unix seconds), RFC 9111 §4.2.3."""
    body_length: int | None = None
    """Bytes, None while unknown."""
    facts: object = field(default=None, init=False, repr=False, compare=False)
    """What the policy worked out about this entry, so that it need not do so at each use; opaque to others."""
    prepared: object = field(default=None, init=False, repr=False, compare=False)
    """What whoever sends this entry has made ready for its next use; opaque to others."""
