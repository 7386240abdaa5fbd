"""What happened to a request that was made to be explained."""

from dataclasses import dataclass

from sluicegate.core.caching.decisions import Reason
from sluicegate.core.caching.wording import BY_TOKEN
from sluicegate.core.events import UpstreamAnswered, UpstreamFailed
from sluicegate.core.http import FieldList, ResponseHead
from sluicegate.explain.decision import CacheView, Why, why

TELLING = (
    b"cache-control",
    b"expires",
    b"date",
    b"age",
    b"etag",
    b"last-modified",
    b"vary",
    b"pragma",
    b"content-type",
    b"content-encoding",
    b"content-range",
    b"location",
    b"retry-after",
    b"cache-status",
    b"proxy-status",
)
"""Fields of an answer that have a say in caching, or tell about it."""


_IN_PLACE_OF_AN_ANSWER = frozenset(
    {Reason.STALE_IF_ERROR, Reason.STALE_UNREACHABLE, Reason.STALE_SLOW, Reason.STALE_LIMITED}
)


@dataclass(frozen=True, slots=True)
class Happened:
    """What the engine noted of a request."""

    head: ResponseHead
    cache: str
    reason: str
    stored: bool
    waited_s: float
    total_s: float
    body_bytes: int
    error: str
    detail: str
    answered: UpstreamAnswered | None
    failed: UpstreamFailed | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What happened, for people."""

    status: int
    cache: str
    """The word of the access log: `hit`, `miss`, `revalidated`, `bypass`, `none` and so on."""
    why: Why | None
    stored: bool
    not_stored: str | None
    """Why not, where it is the store that did not keep it."""
    waited_s: float
    """At the limiter: for slots, queue and permit."""
    upstream_s: float | None
    """From the request to the head of the origin's answer; None: the origin was not asked."""
    upstream_status: int | None
    """What the origin itself answered, 304 for instance."""
    upstream_error: str | None
    """How the way to the origin failed, in a sentence."""
    connection: str | None
    """`new` or `reused`."""
    total_s: float
    body_bytes: int
    fields: list[str]
    """Those that have a say in caching."""
    error: str | None
    """The RFC 9209 type, where the answer is the proxy's own."""
    detail: str | None
    """The same in a sentence."""
    unanswered: bool
    """The origin gave no answer, whatever stood in for it."""
    after: CacheView | None
    """The same request, were it made again."""


def fetched(happened: Happened, after: CacheView | None, *, max_entry_size: int) -> Fetched:
    """What happened, and what would happen next; `max_entry_size` in bytes."""
    reason = BY_TOKEN.get(happened.reason)
    answered = happened.answered
    kept = after is not None and bool(after.stored)
    return Fetched(
        status=happened.head.status,
        cache=happened.cache,
        why=None if reason is None else why(reason),
        stored=happened.stored and kept,
        not_stored=_not_kept(happened, max_entry_size) if happened.stored and not kept else None,
        waited_s=happened.waited_s,
        upstream_s=None if answered is None else answered.duration_s,
        upstream_status=None if answered is None else answered.status,
        upstream_error=None if happened.failed is None else happened.failed.message,
        connection=None if answered is None else "reused" if answered.reused else "new",
        total_s=happened.total_s,
        body_bytes=happened.body_bytes,
        fields=_telling(happened.head.fields),
        error=happened.error or None,
        detail=happened.detail or None,
        unanswered=bool(happened.error) or (answered is None and reason in _IN_PLACE_OF_AN_ANSWER),
        after=after,
    )


def _not_kept(happened: Happened, max_entry_size: int) -> str:
    if happened.body_bytes > max_entry_size:
        return f"The body is larger than the largest that is kept ({max_entry_size} bytes: cache.max_entry_size)."
    return "The store could not keep it."


def _telling(fields: FieldList) -> list[str]:
    return [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in fields if name.lower() in TELLING]
