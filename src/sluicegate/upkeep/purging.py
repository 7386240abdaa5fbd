"""Removing stored responses, many at a time."""

from sluicegate.core.ports import CacheStore
from sluicegate.upkeep.selection import Selection, select

_AT_ONCE = 256


async def purge(store: CacheStore, selection: Selection, now: float) -> int:
    """Remove what is meant; how many there were. `now` is Unix time in seconds. Raises NoSuchUrl, CacheStoreError.

    When it returns, no process that shares the store uses any of them. What is on its way from an origin may be stored
    afterwards, unless it is for the one URL that is meant and the store can tell.
    """
    if selection.url is not None:
        store.invalidate(selection.key_prefix())
    count = 0
    gathered: list[str] = []
    async for listed in select(store, selection, now):
        gathered.append(listed.entry.id)
        if len(gathered) == _AT_ONCE:
            await store.remove_all(gathered)
            count += len(gathered)
            gathered = []
    await store.remove_all(gathered)
    return count + len(gathered)
