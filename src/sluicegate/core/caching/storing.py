"""What must not be stored, or is not worth it, and why (RFC 9111 §3)."""

from sluicegate.core.caching import conditions, freshness, vary
from sluicegate.core.caching.decisions import CacheOptions, Reason
from sluicegate.core.caching.directives import Directives, cache_control
from sluicegate.core.http import RequestHead, ResponseHead, get

_UNDERSTOOD = freshness.HEURISTICALLY_CACHEABLE | {302, 303, 307, 400, 401, 403, 406, 409, 429, 500, 502, 503, 504}
"""Final statuses whose caching requirements we keep, as `must-understand` asks (§5.2.2.3)."""

_FIRST_FINAL = 200
_NOT_WHOLE = frozenset({206, 304})
"""Answers that are stored only together with a response that is there already (§3.3, §4.3.4)."""


def obeyed_directives(response: ResponseHead) -> Directives:
    """The response's directives; `must-understand` annuls `no-store` for a status that we understand (§5.2.2.3)."""
    directives = cache_control(response.fields)
    if "must-understand" not in directives or response.status not in _UNDERSTOOD:
        return directives
    return Directives({name: values for name, values in directives.values.items() if name != "no-store"})


def refusal(
    request: RequestHead, response: ResponseHead, directives: Directives, options: CacheOptions, response_time: float
) -> Reason | None:
    """Why this response must not or need not be stored; None when nothing stands against it."""
    understood = response.status not in _NOT_WHOLE and response.status >= _FIRST_FINAL
    authorized = options.shared and get(request.fields, b"authorization") is not None
    rules = (
        (request.method != "GET", Reason.METHOD),
        (not understood, Reason.NOT_UNDERSTOOD),
        ("must-understand" in directives and response.status not in _UNDERSTOOD, Reason.NOT_UNDERSTOOD),
        ("no-store" in directives, Reason.NO_STORE),
        ("no-store" in cache_control(request.fields), Reason.REQUEST_NO_STORE),
        (options.shared and directives.unqualified("private"), Reason.PRIVATE),
        (authorized and not _allows_authorized(directives), Reason.AUTHORIZATION),
        (vary.varies_always(response), Reason.VARIES_ALWAYS),
        (not _of_use(response, options, response_time), Reason.NO_USE),
    )
    return next((reason for applies, reason in rules if applies), None)


def _allows_authorized(directives: Directives) -> bool:
    """Whether a shared cache may store the answer to a request with Authorization (§3.5)."""
    return any(name in directives for name in ("public", "s-maxage", "must-revalidate"))


def _of_use(response: ResponseHead, options: CacheOptions, response_time: float) -> bool:
    """Whether it can ever be reused: it is fresh for a while, or the origin can be asked about it."""
    if conditions.has_validator(response):
        return True
    return freshness.lifetime(response, shared=options.shared, response_time=response_time) > 0
