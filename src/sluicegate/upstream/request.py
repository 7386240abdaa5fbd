"""A request's head as bytes, serialised anew from what was parsed (RFC 9112 §2–§6)."""

import re

from sluicegate.core.http import Field, FieldList, RequestHead
from sluicegate.core.ports import BodyReader
from sluicegate.errors import BadRequest

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_REQUEST_LINE = re.compile(_TOKEN + rb" [!-~\x80-\xff]++ HTTP/1\.1\r\n")
_LINES = rb"(?:" + _TOKEN + rb": [^\r\n\0]*+\r\n)*+"
_FIELD_LINES = re.compile(_LINES)
_HEAD = re.compile(_REQUEST_LINE.pattern + _LINES + rb"\r\n")

_OURS = frozenset({b"connection", b"content-length", b"host", b"transfer-encoding"})
_OUR_LENGTHS = frozenset(len(name) for name in _OURS)
_CHUNKED: Field = (b"Transfer-Encoding", b"chunked")
_EXPECT_CONTENT = frozenset({"POST", "PUT", "PATCH"})


def request_head(
    request: RequestHead, body: BodyReader | None, *, extra: FieldList | None = None, absolute: bool = False
) -> bytes:
    """The request line and header section, ready to be written.

    Host comes first, then `request.fields` as they are, then `extra`. Framing follows from `body` alone (RFC 9112 §6):
    a Content-Length among the fields stays in its place when it tells the truth and is replaced when not. `absolute`
    writes the target in absolute-form, for a proxy (RFC 9112 §3.2.2). Raises BadRequest for anything that would not
    come out at the other end as the same request: line breaks or NUL in a name or value, names that are no tokens, white
    space in the target, Host fields that contradict each other.
    """
    target = request.url if absolute else request.target
    fields = _arranged(request, body)
    if extra:
        fields += extra
    try:
        line = f"{request.method} {target} HTTP/1.1\r\n".encode("latin-1")
    except UnicodeEncodeError:
        raise BadRequest("The request target has characters that must be percent-encoded.") from None
    # There is always a Host, so that the last line's end is not the only one.
    head = line + b"\r\n".join(map(b": ".join, fields)) + b"\r\n\r\n"
    # The pattern alone would accept a value that smuggles in a whole well-formed line: hence the count.
    if head.count(b"\n") != len(fields) + 2 or _HEAD.fullmatch(head) is None:
        if _REQUEST_LINE.fullmatch(line) is None:
            raise BadRequest("The method or the request target has characters that are not allowed there.")
        raise _bad_field()
    return head


def field_lines(fields: FieldList) -> bytes:
    """The fields as lines, each ended by CRLF. Raises BadRequest if a name or value would become something else."""
    block = b"".join([b"%b: %b\r\n" % item for item in fields])
    if block.count(b"\n") != len(fields) or _FIELD_LINES.fullmatch(block) is None:
        raise _bad_field()
    return block


def _bad_field() -> BadRequest:
    return BadRequest("A header field has characters that are not allowed in its name or value.")


def _arranged(request: RequestHead, body: BodyReader | None) -> FieldList:
    framing = None if body is None and request.method == "GET" else _framing(request.method, body)
    host: Field | None = None
    arranged: FieldList = []
    for item in request.fields:
        # Nearly all fields are told by the length of their names that they are not ours.
        if len(item[0]) not in _OUR_LENGTHS or (name := item[0].lower()) not in _OURS:
            arranged.append(item)
        elif name == b"host":
            if host is not None and item[1] != host[1]:
                raise BadRequest("The request has Host fields that contradict each other.")
            host = host or item
        elif framing is not None and name == b"content-length" and item[1] == framing[1]:
            arranged.append(item)
            framing = None
    if framing is not None:
        arranged.append(framing)
    arranged.insert(0, host or (b"Host", request.origin.authority.encode("latin-1")))
    return arranged


def _framing(method: str, body: BodyReader | None) -> Field | None:
    if body is not None:
        return _CHUNKED if body.length is None else (b"Content-Length", b"%d" % body.length)
    return (b"Content-Length", b"0") if method in _EXPECT_CONTENT else None
