"""Entries to store."""

from sluicegate.core.caching.entry import StoredEntry
from support.messages import request, response

KEY = "http://example.com/a"


def entry(headers: str = "Date: x\nX-fOO: 1\nset-cookie: a\nx-foo: 2") -> StoredEntry:
    """What the policy gives a store: an entry without an id."""
    return StoredEntry("", request(headers="accept: */*"), response(headers, reason=b"Fine \xe9"), 1000.25, 1001.5)
