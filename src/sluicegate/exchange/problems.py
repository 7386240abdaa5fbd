"""Answers that we write ourselves: problem+json (RFC 9457) with Proxy-Status (RFC 9209)."""

import json

from sluicegate.core.framing import REASONS
from sluicegate.core.http import ResponseHead
from sluicegate.errors import ExchangeError
from sluicegate.exchange.bodies import BytesBody
from sluicegate.exchange.call import Answer


class InternalFault(ExchangeError):
    """A fault of our own; the request was not forwarded (fail closed)."""

    status = 502
    title = "The proxy failed on this request"
    stage = "lifecycle"


def problem(error: ExchangeError, request_id: str, name: str = "Sluicegate") -> Answer:
    """The answer that tells a client about `error`: what was wrong, and what to do."""
    document: dict[str, object] = {
        "type": f"urn:sluicegate:problem:{type(error).__name__}",
        "title": error.title,
        "status": error.status,
        "detail": str(error),
        **error.members(),
        "request_id": request_id,
    }
    if error.advice:
        document["advice"] = error.advice
    content = json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"
    details = _quoted(str(error))
    fields = [
        (b"Content-Type", b"application/problem+json"),
        (b"Cache-Control", b"no-store"),
        (b"Proxy-Status", f'{name}; error={error.proxy_error}; details="{details}"'.encode()),
        *error.fields(),
    ]
    return Answer(ResponseHead(error.status, REASONS.get(error.status, b"Error"), fields), BytesBody(content))


def _quoted(text: str) -> str:
    """The inside of an RFC 8941 string: printable ASCII, quotes and backslashes escaped."""
    printable = "".join(char if " " <= char <= "~" else " " for char in text)
    return printable.replace("\\", "\\\\").replace('"', '\\"')
