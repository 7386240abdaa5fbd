"""A request's head as bytes, serialised anew from what was parsed (RFC 9112 §2–§6)."""

import re

from sluicegate.core.http import Field, FieldList, RequestHead
from sluicegate.core.ports import BodyReader
from sluicegate.errors import BadRequest

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(_TOKEN + rb" [!-~\x80-\xff]+ HTTP/1\.1")
_FIELD_LINES = re.compile(rb"(?:" + _TOKEN + rb": [^\r\n\0]*\r\n)*")

_OURS = frozenset({b"connection", b"content-length", b"host", b"transfer-encoding"})
_CHUNKED: Field = (b"Transfer-Encoding", b"chunked")
_EXPECT_CONTENT = frozenset({"POST", "PUT", "PATCH"})


def request_head(request: RequestHead, body: BodyReader | None, *, extra: FieldList, absolute: bool = False) -> bytes:
    """The request line and header section, ready to be written.

    Host comes first, then `request.fields` as they are, then `extra`. Framing follows from `body` alone (RFC 9112 §6):
    a Content-Length among the fields stays in its place when it tells the truth and is replaced when not. `absolute`
    writes the target in absolute-form, for a proxy (RFC 9112 §3.2.2). Raises BadRequest for anything that would not
    come out at the other end as the same request: line breaks or NUL in a name or value, names that are no tokens, white
    space in the target, Host fields that contradict each other.
    """
    target = request.url if absolute else request.target
    try:
        line = f"{request.method} {target} HTTP/1.1".encode("latin-1")
    except UnicodeEncodeError:
        raise BadRequest("The request target has characters that must be percent-encoded.") from None
    if _REQUEST_LINE.fullmatch(line) is None:
        raise BadRequest("The method or the request target has characters that are not allowed there.")
    return line + b"\r\n" + field_lines(_arranged(request, body) + extra) + b"\r\n"


def field_lines(fields: FieldList) -> bytes:
    """The fields as lines, each ended by CRLF. Raises BadRequest if a name or value would become something else."""
    block = b"".join([b"%b: %b\r\n" % item for item in fields])
    # The pattern alone would accept a value that smuggles in a whole well-formed line: hence the count.
    if block.count(b"\n") != len(fields) or _FIELD_LINES.fullmatch(block) is None:
        raise BadRequest("A header field has characters that are not allowed in its name or value.")
    return block


def _arranged(request: RequestHead, body: BodyReader | None) -> FieldList:
    framing = _framing(request.method, body)
    hosts: FieldList = []
    arranged: FieldList = []
    for item in request.fields:
        name = item[0].lower()
        if name not in _OURS:
            arranged.append(item)
        elif name == b"host":
            hosts.append(item)
        elif framing is not None and name == b"content-length" and item[1] == framing[1]:
            arranged.append(item)
            framing = None
    if framing is not None:
        arranged.append(framing)
    if any(value != hosts[0][1] for _, value in hosts):
        raise BadRequest("The request has Host fields that contradict each other.")
    host = hosts[0] if hosts else (b"Host", request.origin.authority.encode("latin-1"))
    return [host, *arranged]


def _framing(method: str, body: BodyReader | None) -> Field | None:
    if body is not None:
        return _CHUNKED if body.length is None else (b"Content-Length", b"%d" % body.length)
    return (b"Content-Length", b"0") if method in _EXPECT_CONTENT else None
