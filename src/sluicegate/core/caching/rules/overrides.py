"""What the user's own rule for some URLs changes. Each knowingly departs from what RFC 9111 asks of a cache.

A rule changes for how long something is used, and what a client may insist on; never to whom it is shown. So in a shared
cache `ttl_s` makes nothing fresh that the origin lets nobody have unasked (`no-cache`, `max-age=0`, nothing said) if
it may be one person's own: if it came with Set-Cookie, or for a request with Cookie or Authorization that Vary does not
name. What forbids storing (`no-store`, `private`, Authorization, `Vary: *`) is as it is without rules.
"""

from dataclasses import dataclass

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.directives import Directives
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.caching.rules.queries import QueryRule
from sluicegate.core.caching.selection.vary import varied_names
from sluicegate.core.http import FieldList, RequestHead, ResponseHead

FIRST_ERROR = 400
"""Statuses from here on are none that a rule prolongs: an error would outlive its cause."""

_CREDENTIALS = frozenset({b"authorization", b"cookie"})
_LENGTHS = frozenset(map(len, _CREDENTIALS))
_RELOADING = frozenset({"no-cache", "max-age"})
_NO_CACHE = frozenset({"no-cache"})
_NOTHING: frozenset[str] = frozenset()
_CREDENTIALS_NOTE = b":credentials"
_KEY_NOTE = b":key"
"""What is kept of a request besides what Vary names. The colon cannot stand in a field's name."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What one rule changes; nothing by default."""

    ttl_s: float | None = None
    """For how long a response is fresh, from when it came or was validated, whatever it says."""
    force: bool = False
    """Store what says nothing about caching, too."""
    never: bool = False
    """Neither store nor answer from what is stored."""
    immutable: bool = False
    """A client's `no-cache` and `max-age` do not make it ask the origin about what is fresh."""
    ignore_client_no_cache: bool = False
    """A client's `no-cache` counts for nothing."""
    query: QueryRule | None = None
    """What of the query the key leaves out."""

    def heeded(self, wanted: Directives) -> Directives:
        """The client's directives without those that the rule ignores.

        Who asked for something newer does not take something stale instead, so `max-stale` goes with them.
        """
        if self.heeds(wanted):
            return wanted
        ignored = {*self._ignored, "max-stale"}
        return Directives({name: values for name, values in wanted.values.items() if name not in ignored})

    def heeds(self, wanted: Directives) -> bool:
        """Whether the rule ignores none of a client's directives."""
        return self._ignored.isdisjoint(wanted.values)

    @property
    def _ignored(self) -> frozenset[str]:
        if self.immutable:
            return _RELOADING
        return _NO_CACHE if self.ignore_client_no_cache else _NOTHING

    def prolongs(self, status: int) -> bool:
        """Whether the rule says how long responses with this status are fresh."""
        return self.ttl_s is not None and status < FIRST_ERROR


def personal(request: RequestHead, response: ResponseHead) -> bool:
    """Whether a response may be one person's own, for all that can be seen."""
    return _tells_apart(_credentials(request), response)


def was_personal(entry: StoredEntry) -> bool:
    """The same of a stored response, by the Vary that it has now."""
    noted = [name for key, value in entry.request.fields if key == _CREDENTIALS_NOTE for name in value.split(b",")]
    return _tells_apart(noted, entry.response)


def notes(request: RequestHead, rule: Overrides | None, part: StoredEntry | None = None) -> FieldList:
    """What to keep of a request with the stored response, besides the fields that select it.

    That is which credentials it had, or the request that brought the stored `part` of it, and the key that it is stored
    under if a rule made that.
    """
    noted = [] if part is None else [item for item in part.request.fields if item[0] == _CREDENTIALS_NOTE]
    if credentials := _credentials(request):
        noted.append((_CREDENTIALS_NOTE, b",".join(credentials)))
    if rule is not None and rule.query is not None:
        noted.append((_KEY_NOTE, cache_key(request, rule.query).encode("utf-8", "surrogatepass")))
    return noted


def strayed(entry: StoredEntry, rule: Overrides | None) -> bool:
    """Whether an entry is under the key that it has only because of a rule that is no longer in force."""
    noted = next((value for name, value in entry.request.fields if name == _KEY_NOTE), None)
    if noted is None:
        return False
    return noted.decode("utf-8", "surrogatepass") != cache_key(entry.request, None if rule is None else rule.query)


def _credentials(request: RequestHead) -> list[bytes]:
    """The names of the request's fields that tell people apart."""
    fields = request.fields
    return [lower for name, _ in fields if len(name) in _LENGTHS and (lower := name.lower()) in _CREDENTIALS]


def _tells_apart(credentials: list[bytes], response: ResponseHead) -> bool:
    """Whether somebody's credentials made the response, and it is not selected by them anyway; or it gives some out."""
    if response.get_all(b"set-cookie"):
        return True
    return bool(credentials) and not set(credentials).issubset(varied_names(response))
