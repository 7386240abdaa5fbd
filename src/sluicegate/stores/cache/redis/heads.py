"""A stored entry's head as Redis keeps it: when it was asked for and came, then the head as on disk."""

import struct

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.codec import dump_head, load_entry

_TIMES = struct.Struct(">dd")


def dump(entry: StoredEntry) -> bytes:
    """The entry but for its id and body length. Raises CacheStoreError when a part of it contains a line end."""
    return _TIMES.pack(entry.request_time, entry.response_time) + dump_head(entry)


def load(data: bytes, *, entry_id: str, body_length: int) -> StoredEntry:
    """The entry that `dump` wrote. Raises CacheStoreError for anything else."""
    if len(data) < _TIMES.size:
        raise CacheStoreError("a stored head is too short")
    request_time, response_time = _TIMES.unpack_from(data)
    return load_entry(
        data[_TIMES.size :],
        entry_id=entry_id,
        request_time=request_time,
        response_time=response_time,
        body_length=body_length,
    )
