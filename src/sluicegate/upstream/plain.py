"""Response heads as nearly all of them are, recognised in one step.

llhttp is the parser; it calls back for each field and each state of its. What is recognised here is a strict part of what
it accepts, with the same meaning (held by a test); any doubt, however small, is left to it.
"""

import re

from sluicegate.core.http import FieldList

_TEXT = rb"[\t -~\x80-\xff]*+"
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([2-5]\d\d) (" + _TEXT + rb")\r\n")
_FIELD = re.compile(rb"^([!#$%&'*+.^_`|~0-9A-Za-z-]++):[ \t]*+(" + _TEXT + rb")\r\n", re.MULTILINE)
_DECIDING = frozenset({b"connection", b"content-length", b"proxy-connection", b"transfer-encoding"})
_DECIDING_LENGTHS = frozenset(len(name) for name in _DECIDING)
_MAX_LENGTH_DIGITS = 15

type PlainHead = tuple[int, bytes, FieldList, int | None, int]
"""Status, reason, fields, Content-Length, and where the head ends."""


def plain_head(data: bytes) -> PlainHead | None:
    """The final head that `data` begins with; None for whatever is not plain, or not complete.

    Plain is HTTP/1.1 that keeps the connection, with one well-formed Content-Length or none, and no Transfer-Encoding.
    """
    status_line = _STATUS_LINE.match(data)
    end = data.find(b"\r\n\r\n")
    if status_line is None or end < 0:
        return None
    block = data[status_line.end() : end + 2]
    fields = _FIELD.findall(block)
    # Each match is one whole line: as many matches as lines means that nothing was left out.
    if len(fields) != block.count(b"\n") or b" \r" in block or b"\t\r" in block:
        return None
    length: int | None = None
    for name, value in fields:
        if len(name) not in _DECIDING_LENGTHS or (lowered := name.lower()) not in _DECIDING:
            continue
        if lowered == b"content-length" and length is None and value.isdigit() and len(value) <= _MAX_LENGTH_DIGITS:
            length = int(value)
        elif lowered != b"connection" or value.lower() != b"keep-alive":
            return None
    return int(status_line[1]), status_line[2], fields, length, end + 4
