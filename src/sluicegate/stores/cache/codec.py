"""The head of a stored entry as bytes: lines, as on the wire, names and values each on its own.

No part of a head can contain a line end, so nothing is escaped, and reading is one `split`.
"""

from functools import lru_cache

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.http import FieldList, Origin, RequestHead, ResponseHead
from sluicegate.errors import CacheStoreError

_LINE_END = b"\r\n"
_FORMAT = b"1"
_FIXED = 9
"""Lines before the fields: format, method, scheme, host, port, target, status, reason, number of request fields."""


def dump_head(entry: StoredEntry) -> bytes:
    """The entry's request and response. Raises CacheStoreError when a part of it contains a line end."""
    request, response = entry.request, entry.response
    origin = request.origin
    text = f"{request.method}\r\n{origin.scheme}\r\n{origin.host}\r\n{origin.port}\r\n{request.target}\r\n{response.status}"
    lines = [_FORMAT, text.encode("utf-8", "surrogatepass"), response.reason, b"%d" % len(request.fields)]
    for field in request.fields:
        lines += field
    for field in response.fields:
        lines += field
    head = _LINE_END.join(lines)
    ends = _FIXED - 1 + 2 * (len(request.fields) + len(response.fields))
    if head.count(_LINE_END) != ends or len(head) - len(head.translate(None, _LINE_END)) != 2 * ends:
        raise CacheStoreError("a field with a line end in it cannot be stored")
    return head


def load_entry(
    head: bytes, *, entry_id: str, request_time: float, response_time: float, body_length: int
) -> StoredEntry:
    """The entry that `dump_head` wrote. Raises CacheStoreError for anything else."""
    lines = head.split(_LINE_END)
    try:
        fmt, method, scheme, host, port, target, status, reason, count = lines[:_FIXED]
        if fmt != _FORMAT or len(lines) % 2 != _FIXED % 2:
            raise CacheStoreError("a stored head is not in the format of this version")
        end = _FIXED + 2 * int(count)
        request = RequestHead(
            method.decode(),
            _origin(scheme, host, port),
            target.decode("utf-8", "surrogatepass"),
            _fields(lines[_FIXED:end]),
        )
        response = ResponseHead(int(status), reason, _fields(lines[end:]))
    except ValueError as error:
        raise CacheStoreError(f"a stored head cannot be read: {error}") from error
    return StoredEntry(entry_id, request, response, request_time, response_time, body_length)


def _fields(lines: list[bytes]) -> FieldList:
    return list(zip(lines[::2], lines[1::2], strict=True))


@lru_cache(maxsize=1024)
def _origin(scheme: bytes, host: bytes, port: bytes) -> Origin:
    return Origin(scheme.decode(), host.decode(), int(port))
