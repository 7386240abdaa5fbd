"""What all entries in Redis may take, those under way included: the least recently used goes first.

The index of sizes and uses is Redis's, and in another slot than the entries; so it is written before them and cleared
after them. A process that is killed in between leaves a note of something that is not there, which goes when it is
the oldest. Redis's clock orders the uses.
"""

import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from redis.asyncio.client import Pipeline

from sluicegate.stores.cache.redis import scripts
from sluicegate.stores.cache.redis.keys import INCARNATION, TOTAL, USES, EntryId
from sluicegate.stores.cache.redis.link import Link

_ATTEMPTS = 16
"""How often room is made for a write before it is given up: others write, too."""
_GRANTED = 1
_FULL = 0


class Budget:
    """`max_size` in bytes; `remove` takes entries out of Redis. Methods raise CacheStoreError."""

    def __init__(self, link: Link, *, max_size: int, remove: Callable[[Iterable[str]], Awaitable[None]]) -> None:
        self.max_size = max_size
        self.total = 0
        self.count = 0
        self._link = link
        self._remove = remove
        self.round = 0
        self._used: dict[str, None] = {}
        self._incarnation: bytes | None = None

    async def claim(self, so_far: EntryId | None, new: EntryId) -> bool:
        """Reserve what `new` takes instead of what `so_far` took; False when there is no room to be made."""
        old = "" if so_far is None else str(so_far)
        for _ in range(_ATTEMPTS):
            verdict, self.total, self.count, *victims = await self._script(
                scripts.CLAIM, old, str(new), str(self.max_size), *self._take_used()
            )
            if verdict != _FULL or not victims:
                return bool(verdict == _GRANTED)
            await self._evict([victim.decode() for victim in victims])
        return False

    async def drop(self, entry_ids: Iterable[str]) -> None:
        """These take nothing any more."""
        self.total, self.count = await self._script(scripts.DROP, *entry_ids)

    async def fit(self, max_size: int) -> None:
        """Change the bound and evict what is too much."""
        self.max_size = max_size
        while True:
            self.total, self.count = await self._script(scripts.TOUCH, *self._take_used())
            [oldest] = await self._link.run(lambda pipeline: pipeline.zrange(USES, 0, 99))
            victims = _first(oldest, self.total - max_size)
            if not victims:
                return
            await self._evict(victims)

    def use(self, entry_id: str) -> None:
        """Take note of a use; Redis is told with the next claim or measurement, and then `round` is another one."""
        self._used.pop(entry_id, None)
        self._used[entry_id] = None

    async def measure(self) -> bool:
        """Find out how much there is; False when somebody has emptied Redis since the last time."""

        def fill(pipeline: Pipeline) -> None:
            pipeline.evalsha(scripts.TOUCH.sha, 2, USES, TOTAL, *self._take_used())
            pipeline.set(INCARNATION, new, nx=True, get=True)

        new = uuid.uuid4().hex.encode()
        [self.total, self.count], found = await self._link.run(fill)
        before, self._incarnation = self._incarnation, found or new
        return before in (None, self._incarnation)

    async def _evict(self, victims: list[str]) -> None:
        await self._remove(victims)
        await self.drop(victims)

    async def _script(self, script: scripts.Script, *arguments: str) -> Any:
        return await self._link.one("EVALSHA", script.sha, 2, USES, TOTAL, *arguments)

    def _take_used(self) -> list[str]:
        self.round += 1
        used, self._used = self._used, {}
        return list(used)


def _first(oldest: list[bytes], excess: int) -> list[str]:
    """As many of the oldest as take the excess."""
    victims: list[str] = []
    for raw in oldest:
        if excess <= 0:
            break
        victims.append(raw.decode())
        parsed = EntryId.parse(victims[-1])
        excess -= parsed.size if parsed is not None else 0
    return victims
