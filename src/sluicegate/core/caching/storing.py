"""What must not be stored, or is not worth it, and why (RFC 9111 §3)."""

from dataclasses import replace
from http import HTTPStatus

from sluicegate.core.caching import freshness, privacy
from sluicegate.core.caching.decisions import CacheOptions, Reason
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.control import Control, control_of
from sluicegate.core.caching.fields.directives import Directives, cache_control
from sluicegate.core.caching.invalidation import key_of
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.caching.parts import partial
from sluicegate.core.caching.rules import overrides
from sluicegate.core.caching.selection import vary
from sluicegate.core.caching.validation import conditions
from sluicegate.core.http import RequestHead, ResponseHead, get

_UNDERSTOOD = freshness.HEURISTICALLY_CACHEABLE | {302, 303, 307, 400, 401, 403, 406, 409, 500, 502, 503, 504}
"""Final statuses whose caching requirements we keep, as `must-understand` asks (§5.2.2.3)."""

_SAYING_LENGTHS = frozenset(map(len, (b"cache-control", b"authorization")))
"""Nearly all requests are told by the length of their fields' names that they have no say in storing."""
_FIRST_FINAL = 200
_PARTIAL_CONTENT = 206
_ABOUT_THE_REQUEST = frozenset({304, 412, 416, 428, 429, 431, 511})
"""Answers to the conditions or the range of one request; anybody else would get them for nothing (RFC 9110 §13, §14).

Likewise what RFC 6585 says must not be stored: it is about one request, one client or one network.
"""


def obeyed_control(response: ResponseHead, options: CacheOptions) -> Control:
    """What governs the response; `must-understand` annuls `no-store` for a status that we understand (§5.2.2.3)."""
    control = control_of(response, options.targeted)
    if "must-understand" not in control.directives.values or response.status not in _UNDERSTOOD:
        return control
    values = {name: values for name, values in control.directives.values.items() if name != "no-store"}
    return replace(control, directives=Directives(values))


def refusal(
    request: RequestHead, response: ResponseHead, control: Control, options: CacheOptions, response_time: float
) -> Reason | None:
    """Why this response must not or need not be stored; None when nothing stands against it."""
    directives = control.directives
    if request.method != "GET" and not _answers_later_gets(request, response):
        return Reason.METHOD
    if not _understood(request, response, directives):
        return Reason.NOT_UNDERSTOOD
    if (forbidden := not_to_be_kept(request, control, options)) is not None:
        return forbidden
    if vary.varies_always(response):
        return Reason.VARIES_ALWAYS
    if not _allowed(response, control, options):
        return Reason.NOTHING_ALLOWS_STORING
    doubt = _doubt(request, response, directives, options)
    if doubt is not None and not _says_how_long(response, control, options, response_time):
        return doubt
    if privacy.may_be_anothers(request, response, control, options, response_time):
        return Reason.SEVERAL_USERS
    return None if _of_use(response, control, options, response_time) else Reason.NO_USE


def not_to_be_kept(request: RequestHead, control: Control, options: CacheOptions) -> Reason | None:
    """What forbids to keep anything of a response, be it only the fields of a 304; None when nothing does (§3, §3.5)."""
    directives = control.directives
    if "no-store" in directives.values:
        return Reason.NO_STORE
    says_something = not _SAYING_LENGTHS.isdisjoint([len(name) for name, _ in request.fields])
    if says_something and "no-store" in cache_control(request.fields):
        return Reason.REQUEST_NO_STORE
    if options.shared and directives.unqualified("private"):
        return Reason.PRIVATE
    if not (options.shared and says_something) or get(request.fields, b"authorization") is None:
        return None
    return None if _allows_authorized(directives) else Reason.AUTHORIZATION


def kept_request(
    request: RequestHead, response: ResponseHead, options: CacheOptions, part: StoredEntry | None = None
) -> RequestHead:
    """What is kept of the request with the response that it brought: a GET, with what Vary names, and notes for rules.

    `part` is what was stored of the response before.
    """
    selecting = vary.selecting_fields(request, response)
    return RequestHead(
        "GET",
        request.origin,
        request.target,
        [*selecting, *overrides.notes(request, options.rule, part), *privacy.notes(options)],
    )


def _understood(request: RequestHead, response: ResponseHead, directives: Directives) -> bool:
    """Whether we know what the status asks of a cache, as far as it must be known."""
    if response.status in _ABOUT_THE_REQUEST or response.status < _FIRST_FINAL:
        return False
    if response.status == _PARTIAL_CONTENT and not partial.may_be_stored(request, response):
        return False
    return "must-understand" not in directives.values or response.status in _UNDERSTOOD


def _allows_authorized(directives: Directives) -> bool:
    """Whether a shared cache may store the answer to a request with Authorization (§3.5)."""
    return any(name in directives for name in ("public", "s-maxage", "must-revalidate"))


def _allowed(response: ResponseHead, control: Control, options: CacheOptions) -> bool:
    """Whether the response itself allows it to be stored: by what it says, or by its status (§3, last condition)."""
    if response.status in freshness.HEURISTICALLY_CACHEABLE:
        return True
    directives = control.directives
    if any(name in directives for name in ("public", "max-age", "s-maxage" if options.shared else "private")):
        return True
    return control.heeds_expires and bool(response.get_all(b"expires"))


def _answers_later_gets(request: RequestHead, response: ResponseHead) -> bool:
    """Whether the answer to a POST is what a GET of the same URL would get (RFC 9110 §9.3.3), which it has to say.

    It answers no later POST: that may do something, and is always sent.
    """
    told = get(response.fields, b"content-location")
    if request.method != "POST" or response.status != HTTPStatus.OK or told is None:
        return False
    return key_of(request, told.decode("latin-1")) == cache_key(request)


def _doubt(
    request: RequestHead, response: ResponseHead, directives: Directives, options: CacheOptions
) -> Reason | None:
    """Why the response has to say for how long it may be reused; None where it need not."""
    if request.method != "GET":
        return Reason.NOTHING_ALLOWS_STORING
    if not (options.shared and response.get_all(b"set-cookie")) or "public" in directives:
        return None
    left_out = directives.field_names("private") | directives.field_names("no-cache")
    return None if b"set-cookie" in left_out else Reason.SET_COOKIE


def _says_how_long(response: ResponseHead, control: Control, options: CacheOptions, response_time: float) -> bool:
    found = freshness.sourced_lifetime(response, control, shared=options.shared, response_time=response_time)
    return found[0] > 0 and found[1] in freshness.EXPLICIT


def _of_use(response: ResponseHead, control: Control, options: CacheOptions, response_time: float) -> bool:
    """Whether it can ever be reused: it is fresh for a while, may be used stale, or the origin can be asked about it."""
    if conditions.has_validator(response) or freshness.allows_stale(control, shared=options.shared):
        return True
    return freshness.lifetime(response, control, shared=options.shared, response_time=response_time) > 0
