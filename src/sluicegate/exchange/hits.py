"""Fresh stored responses that are in memory: answered in one call, nothing awaited, byte for byte as the long way does.

The head of an entry is made ready at its first use and kept with it; what changes from one use to the next is its age.
Whatever cannot be answered here (nothing stored, stale, not in memory, the client's doubts) goes the long way.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sluicegate.core.access import AccessPolicy
from sluicegate.core.caching import policy
from sluicegate.core.caching.decisions import CacheOptions, Hit, Reason
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.facts import Facts, facts_of
from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.core.caching.stale import REFRESHING
from sluicegate.core.caching.status import CACHE_NAME, cache_status, hit_ends
from sluicegate.core.caching.validation.headers import without_age
from sluicegate.core.framing import BODYLESS, head_lines, without_framing
from sluicegate.core.http import RequestHead, end_to_end
from sluicegate.core.ports import CacheStore
from sluicegate.errors import DestinationForbidden

type Refresh = Callable[[RequestHead, StoredEntry], None]
type Nothing = tuple[str, CacheOptions]
"""Certainly nothing is stored under this key; the options are the request's."""


@dataclass(slots=True)
class Ready:
    """A whole response."""

    status: int
    data: bytes
    """All of it, as an HTTP/1.1 client gets it."""
    body_length: int
    """How many bytes of it are body."""
    reason: Reason


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is the same each time an entry answers a plain GET."""

    facts: Facts
    before: bytes
    """The head up to where the age stands."""
    after: bytes
    """The rest of the head."""


class Hits:
    """Answers from memory."""

    def __init__(
        self, *, store: CacheStore, rules: RuleSet, access: AccessPolicy, refresh: Refresh | None = None
    ) -> None:
        """`refresh` has an entry validated that was used stale; without it such answers go the long way."""
        self._refresh = refresh
        self._store = store
        self._rules = rules
        self._access = access

    def answer(self, request: RequestHead, now: float, *, conditional: bool) -> Ready | Nothing | None:
        """The response to a GET or HEAD without a body; None when only the long way has one. `now` in Unix seconds.

        `Nothing` spares who goes on at once another look. `conditional` says that fields of the request have a say in it (Range, If-None-Match, Cache-Control and so on).
        """
        resolved = self._rules.resolve(request)
        key, options = resolved
        if not options.enabled:
            return None
        entries = self._store.recall(key)
        if not entries:
            return None if entries is None else resolved
        if not self._admits(request.origin.host):
            return None
        if conditional or len(entries) > 1 or request.method != "GET":
            return self._looked_up(request, key, options, entries, now)
        entry = entries[0]
        prepared = entry.prepared
        if not isinstance(prepared, _Prepared) or prepared.facts.options is not options:
            prepared = entry.prepared = _prepare(entry, facts_of(entry, options), options.ruled_key(key))
        facts = prepared.facts
        if facts.varies or facts.partial:
            return self._looked_up(request, key, options, entries, now)
        age = facts.age(now)
        ttl = facts.lifetime - age
        if ttl <= 0 and -ttl < facts.revalidate_s:
            return self._looked_up(request, key, options, entries, now)
        if ttl <= 0 or facts.must_ask or (body := self._store.body_at_hand(entry)) is None:
            return None
        data = b"%bAge: %d\r\nCache-Status: %b; hit; ttl=%d%b%b" % (
            prepared.before,
            age,
            _NAME,
            ttl,
            prepared.after,
            body,
        )
        return Ready(entry.response.status, data, len(body), facts.fresh)

    def _looked_up(
        self, request: RequestHead, key: str, options: CacheOptions, entries: list[StoredEntry], now: float
    ) -> Ready | None:
        """What the policy says, if it is a hit."""
        cleaned = request.with_fields(end_to_end(request.fields))
        hit = policy.look_up(cleaned, entries, options, now)
        if not isinstance(hit, Hit) or (self._refresh is None and hit.reason in REFRESHING):
            return None
        head = hit.head
        bodyless = request.method == "HEAD" or head.status in BODYLESS
        body = b"" if bodyless or head.status == _UNSATISFIABLE else self._store.body_at_hand(hit.entry)
        if body is None:
            return None
        if self._refresh is not None and hit.reason in REFRESHING:
            self._refresh(cleaned, hit.entry)
        body = _asked_for(hit, body)
        fields = [*head.fields, (b"Cache-Status", cache_status(hit, key=options.ruled_key(key)))]
        if head.status == _NO_CONTENT:
            fields = without_framing(fields)
        elif not bodyless:
            fields = [*without_framing(fields), (b"Content-Length", b"%d" % len(body))]
        return Ready(head.status, head_lines(head.status, head.reason, fields) + b"\r\n" + body, len(body), hit.reason)

    def _admits(self, host: str) -> bool:
        try:
            self._access.admit_host(host)
        except DestinationForbidden:
            return False
        return True


_NAME = CACHE_NAME.encode()
_NO_CONTENT = 204
_UNSATISFIABLE = 416


def _asked_for(hit: Hit, body: bytes) -> bytes:
    """The bytes of the stored body that answer."""
    if hit.multipart is not None:
        pieces = [heading + body[span.start : span.end] for heading, span in hit.multipart.parts]
        return b"".join([*pieces, hit.multipart.end])
    return body if hit.span is None else body[hit.span.start : hit.span.end]


def _prepare(entry: StoredEntry, facts: Facts, ruled_key: str | None) -> _Prepared:
    response = entry.response
    before = head_lines(response.status, response.reason, without_framing(without_age(response.fields)))
    framing = b"" if response.status in BODYLESS else b"Content-Length: %d\r\n" % (entry.body_length or 0)
    return _Prepared(facts, before, hit_ends(facts.fresh, ruled_key) + b"\r\n" + framing + b"\r\n")
