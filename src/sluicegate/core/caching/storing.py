"""What must not be stored, or is not worth it, and why (RFC 9111 §3)."""

from dataclasses import replace

from sluicegate.core.caching import conditions, freshness, partial, vary
from sluicegate.core.caching.control import Control, control_of
from sluicegate.core.caching.decisions import CacheOptions, Reason
from sluicegate.core.caching.directives import Directives, cache_control
from sluicegate.core.http import RequestHead, ResponseHead, get

_UNDERSTOOD = freshness.HEURISTICALLY_CACHEABLE | {302, 303, 307, 400, 401, 403, 406, 409, 429, 500, 502, 503, 504}
"""Final statuses whose caching requirements we keep, as `must-understand` asks (§5.2.2.3)."""

_FIRST_FINAL = 200
_PARTIAL_CONTENT = 206
_ABOUT_THE_REQUEST = frozenset({304, 412, 416})
"""Answers to the conditions or the range of one request; anybody else would get them for nothing (RFC 9110 §13, §14)."""


def obeyed_control(response: ResponseHead, options: CacheOptions) -> Control:
    """What governs the response; `must-understand` annuls `no-store` for a status that we understand (§5.2.2.3)."""
    control = control_of(response, options.targeted)
    if "must-understand" not in control.directives or response.status not in _UNDERSTOOD:
        return control
    values = {name: values for name, values in control.directives.values.items() if name != "no-store"}
    return replace(control, directives=Directives(values))


def refusal(
    request: RequestHead, response: ResponseHead, control: Control, options: CacheOptions, response_time: float
) -> Reason | None:
    """Why this response must not or need not be stored; None when nothing stands against it."""
    directives = control.directives
    if request.method != "GET":
        return Reason.METHOD
    if not _understood(request, response, directives):
        return Reason.NOT_UNDERSTOOD
    if "no-store" in directives:
        return Reason.NO_STORE
    if "no-store" in cache_control(request.fields):
        return Reason.REQUEST_NO_STORE
    if options.shared and directives.unqualified("private"):
        return Reason.PRIVATE
    if options.shared and get(request.fields, b"authorization") is not None and not _allows_authorized(directives):
        return Reason.AUTHORIZATION
    if vary.varies_always(response):
        return Reason.VARIES_ALWAYS
    if not _allowed(response, control, options):
        return Reason.NOTHING_ALLOWS_STORING
    return None if _of_use(response, control, options, response_time) else Reason.NO_USE


def _understood(request: RequestHead, response: ResponseHead, directives: Directives) -> bool:
    """Whether we know what the status asks of a cache, as far as it must be known."""
    if response.status in _ABOUT_THE_REQUEST or response.status < _FIRST_FINAL:
        return False
    if response.status == _PARTIAL_CONTENT and not partial.may_be_stored(request, response):
        return False
    return "must-understand" not in directives or response.status in _UNDERSTOOD


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


def _of_use(response: ResponseHead, control: Control, options: CacheOptions, response_time: float) -> bool:
    """Whether it can ever be reused: it is fresh for a while, or the origin can be asked about it."""
    if conditions.has_validator(response):
        return True
    return freshness.lifetime(response, control, shared=options.shared, response_time=response_time) > 0
