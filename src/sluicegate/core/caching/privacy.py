"""Whose a stored response is, where several people use one cache: it takes no chances on what an origin forgot to say.

RFC 9111 lets a shared cache keep whatever does not forbid it, and that is what a cache for one person's programs does.
Once it is known that several use it (`CacheOptions.several`), it also leaves alone, unless it is `public` or has `s-maxage`,
what comes with Set-Cookie, and what was made for somebody's cookies or credentials and does not say for how long it may
be reused; and errors that may be about the one request that met them.
"""

from sluicegate.core.caching import freshness
from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.control import Control
from sluicegate.core.caching.rules import overrides
from sluicegate.core.http import FieldList, RequestHead, ResponseHead

_ABOUT_THE_RESOURCE = frozenset({404, 410, 451})
"""Errors that anybody meets who asks for the URL."""
_PRIVATE_NOTE = b":private"
"""Kept with what a private cache stores. The colon cannot stand in a field's name."""
_FOR_ALL = ("public", "s-maxage")
_SET_COOKIE = b"set-cookie"


def notes(options: CacheOptions) -> FieldList:
    """What to keep with a stored response, so that a shared cache on the same store knows that it is not for it."""
    return [] if options.shared else [(_PRIVATE_NOTE, b"")]


def may_be_anothers(
    request: RequestHead, response: ResponseHead, control: Control, options: CacheOptions, response_time: float
) -> bool:
    """Whether a response that RFC 9111 lets us store is left alone because several people use the cache."""
    if not (options.several and options.shared):
        return False
    return _is_doubtful(response, control, response_time, personal=overrides.personal(request, response))


def barred(entry: StoredEntry, control: Control, options: CacheOptions) -> bool:
    """Whether nobody may have a stored response any more: it was kept for one person, or when one alone used the cache."""
    if not options.shared:
        return False
    if any(name == _PRIVATE_NOTE for name, _ in entry.request.fields):
        return True
    if not options.several:
        return False
    return _is_doubtful(entry.response, control, entry.response_time, personal=overrides.was_personal(entry))


def _is_doubtful(response: ResponseHead, control: Control, response_time: float, *, personal: bool) -> bool:
    if response.status >= overrides.FIRST_ERROR and response.status not in _ABOUT_THE_RESOURCE:
        return True
    directives = control.directives
    if any(name in directives for name in _FOR_ALL):
        return False
    if response.get_all(_SET_COOKIE):
        left_out = directives.field_names("private") | directives.field_names("no-cache")
        return _SET_COOKIE not in left_out
    if not personal or directives.unqualified("no-cache"):
        return False
    lifetime, source = freshness.sourced_lifetime(response, control, shared=True, response_time=response_time)
    return not (lifetime > 0 and source in freshness.EXPLICIT)
