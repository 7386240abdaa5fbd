"""Requests that may be answered otherwise than their URL and Vary say, so that no cache key stands for the answer.

Many origins believe fields that a proxy in front of them would set: which host, scheme or path was asked for, or which
method is meant. One client that sends them could have the answer stored for all (cache poisoning); and so with content in
a GET, which has no meaning that a cache could know (RFC 9110 §9.3.1). The cache has no part in such requests.
"""

from sluicegate.core.http import RequestHead
from sluicegate.core.ports import BodyReader

STEERING = frozenset(
    {
        b"forwarded",
        b"front-end-https",
        b"x-forwarded-host",
        b"x-forwarded-path",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-forwarded-protocol",
        b"x-forwarded-scheme",
        b"x-forwarded-server",
        b"x-forwarded-ssl",
        b"x-host",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-original-host",
        b"x-original-url",
        b"x-rewrite-url",
        b"x-url-scheme",
    }
)
"""Lower case. X-Forwarded-For is none of them: every proxy sends it, and it says who asks, not what for."""

_READING = frozenset({"GET", "HEAD"})


def is_steered(request: RequestHead, body: BodyReader | None) -> bool:
    """Whether neither may the request be answered from the cache nor its answer be stored. `body` None: it has none."""
    if request.method not in _READING:
        return False
    if body is not None and body.length != 0:
        return True
    return any(name.lower() in STEERING for name, _ in request.fields)
