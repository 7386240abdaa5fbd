"""Entries to store, and what the tests of cache stores ask of every store."""

from sluicegate.core.caching.entry import StoredEntry
from support.messages import Body, read_all, request, response

KEY = "http://example.com/a"


def entry(headers: str = "Date: x\nX-fOO: 1\nset-cookie: a\nx-foo: 2") -> StoredEntry:
    """What the policy gives a store: an entry without an id."""
    return StoredEntry("", request(headers="accept: */*"), response(headers, reason=b"Fine \xe9"), 1000.25, 1001.5)


async def put(store, *pieces: bytes, key: str = KEY, headers: str = "Date: x") -> StoredEntry:
    """Store a body of these pieces; the entry as it can be looked up then."""
    before = {found.id for found in await store.entries(key)}
    reader = await store.store(key, entry(headers), Body(*pieces))
    assert await read_all(reader) == b"".join(pieces)
    await reader.aclose()
    [stored] = [found for found in await store.entries(key) if found.id not in before]
    return stored


async def body_of(store, stored: StoredEntry) -> bytes:
    """The stored body, read to its end and closed."""
    reader = await store.open_body(stored)
    try:
        return await read_all(reader)
    finally:
        await reader.aclose()
