"""What the policy makes of requests and responses, in few words, for its tests."""

from dataclasses import replace

from sluicegate.core.caching.decisions import CacheOptions, Forward, Lookup, Outcome, Revalidate, Store
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.directives import format_date
from sluicegate.core.caching.policy import judge, look_up
from sluicegate.core.http import RequestHead, ResponseHead
from support.messages import request, response

NOW = 1_800_000_000.0
OPTIONS = CacheOptions()
FRESH = "Cache-Control: max-age=60"


def date(delta_s: float = 0) -> str:
    return f"Date: {format_date(NOW + delta_s).decode()}"


def judged(plan: Lookup, head: ResponseHead, *, at: float = NOW, options: CacheOptions = OPTIONS) -> Outcome:
    assert isinstance(plan, Revalidate | Forward)
    return judge(plan, head, options, request_time=at, response_time=at)


def stored(
    headers: str, entry_id: str = "1", *, asked: RequestHead | None = None, at: float = NOW, status: int = 200
) -> StoredEntry:
    """What is stored of a response with these fields, with the id that a store would give it."""
    outcome = judged(look_up(asked or request(), [], OPTIONS, at), response(headers, status=status), at=at)
    assert isinstance(outcome, Store)
    return replace(outcome.entry, id=entry_id)
