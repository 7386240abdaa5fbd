"""Reading a stored body and telling whether it is what was stored."""

from collections.abc import Callable
from enum import Enum

from sluicegate.core.caching.digests import digesting
from sluicegate.core.caching.listing import Listed
from sluicegate.core.ports import CacheStore
from sluicegate.errors import CacheStoreError


class Verdict(Enum):
    """What a stored body proved to be."""

    SOUND = "sound"
    """Length and digest are as recorded."""
    UNPROVEN = "unproven"
    """The length is as recorded; of what an older version has stored there is no digest."""
    DAMAGED = "damaged"
    GONE = "gone"
    """It was removed or replaced meanwhile."""


async def read_through(
    store: CacheStore, listed: Listed, take: Callable[[bytes], object] | None = None
) -> tuple[Verdict, str]:
    """Give a body to `take`, piece by piece; what it proved to be, and of one that is damaged what is wrong with it.

    Raises CacheStoreError when the store itself fails.
    """
    running = digesting()
    length = 0
    try:
        body = await store.open_body(listed.entry)
        try:
            while piece := await body.read():
                running.update(piece)
                length += len(piece)
                if take is not None:
                    take(piece)
        finally:
            await body.aclose()
    except CacheStoreError as error:
        return (Verdict.DAMAGED, str(error)) if await is_there(store, listed) else (Verdict.GONE, "")
    if length != listed.entry.body_length:
        return Verdict.DAMAGED, f"the body has {length} bytes instead of {listed.entry.body_length}"
    if listed.digest is None:
        return Verdict.UNPROVEN, ""
    if running.digest() != listed.digest:
        return Verdict.DAMAGED, "the body is not the one that was stored: it has another digest"
    return Verdict.SOUND, ""


async def is_there(store: CacheStore, listed: Listed) -> bool:
    """Whether an entry is still stored. Raises CacheStoreError."""
    return listed.entry.id in [one.entry.id async for one in store.listed(listed.key, exact=True)]
