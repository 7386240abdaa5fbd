"""Reading every body against its recorded length and digest."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sluicegate.core.caching.listing import Listed
from sluicegate.core.ports import CacheStore
from sluicegate.upkeep.reading import Verdict, read_through
from sluicegate.upkeep.selection import Selection, select

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Checked:
    """A stored response whose body was read."""

    listed: Listed
    verdict: Verdict
    problem: str = ""
    """What is wrong with one that is damaged."""


async def verify(
    store: CacheStore, selection: Selection, now: float, *, repair: bool = False
) -> AsyncIterator[Checked]:
    """Check what is meant, several at a time; `repair` removes what is damaged.

    `now` is Unix time in seconds. Memory stays bounded whatever the bodies are. Raises NotAUrl, CacheStoreError.
    """
    gathered: list[Listed] = []
    async for listed in select(store, selection, now):
        gathered.append(listed)
        if len(gathered) == _AT_ONCE:
            for checked in await _check(store, gathered, repair=repair):
                yield checked
            gathered = []
    for checked in await _check(store, gathered, repair=repair):
        yield checked


async def _check(store: CacheStore, gathered: list[Listed], *, repair: bool) -> list[Checked]:
    verdicts = await asyncio.gather(*(read_through(store, listed) for listed in gathered))
    checked = [Checked(one, *verdict) for one, verdict in zip(gathered, verdicts, strict=True)]
    if repair:
        await store.remove_all([one.listed.entry.id for one in checked if one.verdict is Verdict.DAMAGED])
    return checked
