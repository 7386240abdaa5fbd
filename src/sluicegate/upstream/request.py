"""A request's head as bytes, serialised anew from what was parsed (RFC 9112 §2–§6)."""

import re
from collections.abc import Iterable
from functools import lru_cache

from sluicegate.core.http import Field, FieldList, RequestHead
from sluicegate.core.ports import BodyReader
from sluicegate.errors import BadRequest

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_REQUEST_LINE = re.compile(_TOKEN + rb" [!-~\x80-\xff]++ HTTP/1\.1\r\n")
_FIELD_LINES = re.compile(rb"(?:" + _TOKEN + rb": [^\r\n\0]*+\r\n)*+")

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
    if body is None and not extra and request.method == "GET":
        return _line(request.method, target) + _bodyless_section(request.origin.authority, tuple(request.fields))
    fields = _arranged(request.method, request.origin.authority, request.fields, body)
    if extra:
        fields += extra
    return _line(request.method, target) + field_lines(fields) + b"\r\n"


def field_lines(fields: FieldList) -> bytes:
    """The fields as lines, each ended by CRLF. Raises BadRequest if a name or value would become something else."""
    # The last item makes the join end with a line end.
    block = b"\r\n".join([*map(b": ".join, fields), b""])
    # The pattern alone would accept a value that smuggles in a whole well-formed line: hence the count.
    if block.count(b"\n") != len(fields) or _FIELD_LINES.fullmatch(block) is None:
        raise BadRequest("A header field has characters that are not allowed in its name or value.")
    return block


def _line(method: str, target: str) -> bytes:
    try:
        line = f"{method} {target} HTTP/1.1\r\n".encode("latin-1")
    except UnicodeEncodeError:
        raise BadRequest("The request target has characters that must be percent-encoded.") from None
    if _REQUEST_LINE.fullmatch(line) is None:
        raise BadRequest("The method or the request target has characters that are not allowed there.")
    return line


@lru_cache(maxsize=64)
def _bodyless_section(authority: str, fields: tuple[Field, ...]) -> bytes:
    """The header section of a GET: clients repeat theirs, and few of them send most of the requests."""
    return field_lines(_arranged("GET", authority, fields, None)) + b"\r\n"


def _arranged(method: str, authority: str, fields: Iterable[Field], body: BodyReader | None) -> FieldList:
    framing = None if body is None and method == "GET" else _framing(method, body)
    host: Field | None = None
    arranged: FieldList = []
    for item in fields:
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
    arranged.insert(0, host or (b"Host", authority.encode("latin-1")))
    return arranged


def _framing(method: str, body: BodyReader | None) -> Field | None:
    if body is not None:
        return _CHUNKED if body.length is None else (b"Content-Length", b"%d" % body.length)
    return (b"Content-Length", b"0") if method in _EXPECT_CONTENT else None
