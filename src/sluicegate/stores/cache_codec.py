"""A stored entry without its body as text: what a store keeps of the head, exactly as it was on the wire."""

import json

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.http import FieldList, Origin, RequestHead, ResponseHead
from sluicegate.errors import CacheStoreError

_VERSION = 1


def dump_entry(entry: StoredEntry) -> str:
    """The entry but for its id and body length, which the store knows by itself."""
    request, response = entry.request, entry.response
    return json.dumps(
        {
            "version": _VERSION,
            "method": request.method,
            "origin": [request.origin.scheme, request.origin.host, request.origin.port],
            "target": request.target,
            "selecting": _text(request.fields),
            "status": response.status,
            "reason": response.reason.decode("latin-1"),
            "fields": _text(response.fields),
            "request_time": entry.request_time,
            "response_time": entry.response_time,
        },
        separators=(",", ":"),
    )


def load_entry(text: str, *, entry_id: str, body_length: int | None) -> StoredEntry:
    """The entry that `dump_entry` wrote. Raises CacheStoreError for anything else."""
    try:
        data = json.loads(text)
        if data["version"] != _VERSION:
            raise CacheStoreError(f"a stored response has version {data['version']}, not {_VERSION}")
        scheme, host, port = data["origin"]
        request = RequestHead(data["method"], Origin(scheme, host, port), data["target"], _fields(data["selecting"]))
        response = ResponseHead(data["status"], data["reason"].encode("latin-1"), _fields(data["fields"]))
        times = (float(data["request_time"]), float(data["response_time"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CacheStoreError(f"a stored response cannot be read: {error}") from error
    return StoredEntry(entry_id, request, response, *times, body_length=body_length)


def _text(fields: FieldList) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]


def _fields(pairs: list[tuple[str, str]]) -> FieldList:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
