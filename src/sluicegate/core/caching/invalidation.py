"""What a successful unsafe request invalidates (RFC 9111 §4.4)."""

from collections.abc import Callable, Iterable
from urllib.parse import urljoin, urlsplit

from sluicegate.core.caching.keys import cache_key
from sluicegate.core.http import DEFAULT_PORTS, Origin, RequestHead, ResponseHead, get

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"})
"""Those that are registered as safe (RFC 9110 §9.2.1, §16.1); every other method may change the resource, so it invalidates."""

_NOT_AN_ERROR = range(200, 400)


def invalidated(
    request: RequestHead, response: ResponseHead, keys_of: Callable[[RequestHead], Iterable[str]] | None = None
) -> list[str]:
    """The request's own keys, for something may have been stored meanwhile, and those of what the response names.

    `keys_of` tells every key that something stored for a request may have; by itself, that is its `cache_key`. The response
    names others by Location and Content-Location. Those of another origin are none of this origin's business: it could empty the cache for others.
    """
    if request.method in SAFE_METHODS or response.status not in _NOT_AN_ERROR:
        return []
    named = (get(response.fields, name) for name in (b"location", b"content-location"))
    others = [_referred(request, value.decode("latin-1")) for value in named if value is not None]
    heads = [request, *(other for other in others if other is not None)]
    return sorted({key for head in heads for key in ([cache_key(head)] if keys_of is None else keys_of(head))})


def key_of(request: RequestHead, reference: str) -> str | None:
    """The cache key of a reference (RFC 3986 §5) to the same origin; None for any other."""
    referred = _referred(request, reference)
    return None if referred is None else cache_key(referred)


def _referred(request: RequestHead, reference: str) -> RequestHead | None:
    """A GET of what a reference to the same origin means; None for any other."""
    try:
        url = urlsplit(urljoin(request.url, reference))
        origin = Origin(url.scheme, url.hostname or "", url.port or DEFAULT_PORTS.get(url.scheme, 0))
    except ValueError:
        return None
    if origin != request.origin:
        return None
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    return RequestHead("GET", origin, target)
