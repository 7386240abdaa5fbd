"""Changes on their way to the disk: in order, several at a time, behind the back of requests."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sluicegate.stores.cache_batch import Change, Put, Written
from sluicegate.tasks import spawn

MAX_WAITING = 16 * 1024 * 1024
"""Bytes of bodies that may wait."""
_BATCH = 256
_logger = logging.getLogger(__name__)

type Apply = Callable[[Sequence[Change]], Awaitable[list[Written | None]]]
type OnDone = Callable[[Written | None], None]


@dataclass(slots=True)
class _Waiting:
    change: Change
    size: int
    done: OnDone


class WriteBehind:
    """A queue with one writer, which runs while there is something to write.

    A process that is killed loses what is waiting, and nothing of what `apply` has finished.
    """

    def __init__(self, apply: Apply, *, max_waiting: int = MAX_WAITING) -> None:
        self._apply = apply
        self._max_waiting = max_waiting
        self._waiting: list[_Waiting] = []
        self._size = 0
        self._writer: asyncio.Task[None] | None = None
        self._progress = asyncio.Event()

    def post(self, change: Change, done: OnDone) -> None:
        """Have a change made after those posted before; `done` is told, None when it failed."""
        size = len(change.body) if isinstance(change, Put) else 0
        self._waiting.append(_Waiting(change, size, done))
        self._size += size
        if self._writer is None:
            self._writer = spawn(self._write(), name="cache-writer")

    async def room(self) -> None:
        """Wait until no more than the bound is waiting."""
        while self._size > self._max_waiting:
            await self._progress.wait()

    async def flush(self) -> None:
        """Wait until nothing is waiting any more."""
        while self._writer is not None:
            await self._progress.wait()

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            results = await self._results(batch)
            self._size -= sum(item.size for item in batch)
            for item, result in zip(batch, results, strict=True):
                item.done(result)
            if not self._waiting:
                self._writer = None
            self._progress.set()
            self._progress = asyncio.Event()

    async def _results(self, batch: list[_Waiting]) -> list[Written | None]:
        try:
            return await self._apply([item.change for item in batch])
        except Exception:
            _logger.exception("%d changes to the cache are lost", len(batch))
            return [None] * len(batch)
