"""What a store tells of the responses it has, to whoever looks after them."""

from dataclasses import dataclass

from sluicegate.core.caching.entry import StoredEntry


@dataclass(frozen=True, slots=True)
class Listed:
    """One stored response. Where a store goes on while it is listed, this is how it was when its page was read."""

    key: str
    """The cache key that it is stored under."""
    entry: StoredEntry
    size: int
    """Bytes that it takes in the store."""
    used: float
    """When it was used last (Unix seconds, to the minute); 0.0 where that is not known."""
    digest: bytes | None
    """Of the body, as it was recorded when it was stored; None for what an older version has stored."""
