"""What a successful unsafe request invalidates (RFC 9111 §4.4)."""

from urllib.parse import urljoin, urlsplit

from sluicegate.core.caching.keys import cache_key
from sluicegate.core.http import DEFAULT_PORTS, Origin, RequestHead, ResponseHead, get

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110 §9.2.1; every other method may change the resource, so it invalidates."""

_NOT_AN_ERROR = range(200, 400)


def invalidated(request: RequestHead, response: ResponseHead) -> list[str]:
    """The request's own key, for something may have been stored meanwhile, and those that the response names.

    It does so by Location and Content-Location. Those of another origin are none of this origin's business: it could empty the cache for others.
    """
    if request.method in SAFE_METHODS or response.status not in _NOT_AN_ERROR:
        return []
    named = (get(response.fields, name) for name in (b"location", b"content-location"))
    keys = {key for value in named if value is not None and (key := _key(request, value.decode("latin-1"))) is not None}
    return sorted(keys | {cache_key(request)})


def _key(request: RequestHead, reference: str) -> str | None:
    """The cache key of a reference (RFC 3986 §5) to the same origin; None for any other."""
    try:
        url = urlsplit(urljoin(request.url, reference))
        origin = Origin(url.scheme, url.hostname or "", url.port or DEFAULT_PORTS.get(url.scheme, 0))
    except ValueError:
        return None
    if origin != request.origin:
        return None
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    return cache_key(RequestHead("GET", origin, target))
