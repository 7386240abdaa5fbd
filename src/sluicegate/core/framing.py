"""HTTP/1.1 messages as bytes: what every adapter that writes a response shares (RFC 9112)."""

from sluicegate.core.http import FieldList

REASONS = {
    200: b"OK",
    204: b"No Content",
    400: b"Bad Request",
    403: b"Forbidden",
    407: b"Proxy Authentication Required",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    508: b"Loop Detected",
}
BODYLESS = frozenset({204, 304})
"""Statuses whose responses have no body (RFC 9110 §6.4.1)."""
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_LENGTHS = frozenset(map(len, _FRAMING))


def without_framing(fields: FieldList) -> FieldList:
    """The fields but for those that say where the body ends."""
    return [item for item in fields if len(item[0]) not in _LENGTHS or item[0].lower() not in _FRAMING]


def head_lines(status: int, reason: bytes, fields: FieldList) -> bytes:
    """Status line and fields, without the empty line that ends them."""
    lines = [b"HTTP/1.1 %d %b\r\n" % (status, reason or REASONS.get(status, b""))]
    lines += [b"%b: %b\r\n" % item for item in fields]
    return b"".join(lines)
