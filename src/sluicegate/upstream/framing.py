"""What a response's head says about its body and its connection (RFC 9112 §6.3, §9.3)."""

from sluicegate.core.http import FieldList, ResponseHead, connection_options, get_all

# Statuses are written as the RFC writes them.
_SWITCHING_PROTOCOLS, _NO_CONTENT, _NOT_MODIFIED = 101, 204, 304


def field_value(fields: FieldList, name: bytes) -> bytes | None:
    """The first line of a field (name in lower case), None without it. llhttp refuses repeated Content-Length."""
    return next((value for key, value in fields if len(key) == len(name) and key.lower() == name), None)


def section_size(fields: FieldList) -> int:
    """The bytes that a header section takes on the wire."""
    return sum(len(name) + len(value) + 4 for name, value in fields)


def framing_fault(head: ResponseHead, version: str) -> str:
    """Why a final head that parses cannot be used all the same; empty if it can."""
    if head.status == _SWITCHING_PROTOCOLS:
        return "it switches protocols without having been asked (101)"
    if head.status < 100:  # noqa: PLR2004 - RFC 9110 §15: the first digit is a class from 1
        return f"its status is {head.status}"
    if version not in ("1.1", "1.0"):
        return f"its version is HTTP/{version}"
    codings = get_all(head.fields, b"transfer-encoding")
    if len(codings) > 1 or any(coding.lower() != b"chunked" for coding in codings):
        return "it has a transfer coding that was not asked for"
    return ""


def bodyless(method: str, status: int) -> bool:
    """The message ends with its head, whatever that says (RFC 9112 §6.3, 1 and 2)."""
    tunnel = method == "CONNECT" and status // 100 == 2  # noqa: PLR2004 - any 2xx
    return method == "HEAD" or tunnel or status in (_NO_CONTENT, _NOT_MODIFIED)


def persistent(head: ResponseHead, version: str) -> bool:
    """The origin keeps the connection open after this response (RFC 9112 §9.3)."""
    options = connection_options(head.fields)
    return b"close" not in options and (version == "1.1" or b"keep-alive" in options)
