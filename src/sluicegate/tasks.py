"""Background tasks that are kept alive and never fail unseen."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_alive: set[asyncio.Task[Any]] = set()
_logger = logging.getLogger(__name__)


def spawn[T](coroutine: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Run `coroutine` as a task; asyncio itself keeps only a weak reference to it."""
    task: asyncio.Task[T] = asyncio.get_running_loop().create_task(coroutine, name=name)
    _alive.add(task)
    task.add_done_callback(_done)
    return task


async def undisturbed[T](coroutine: Coroutine[Any, Any, T]) -> T:
    """Await `coroutine`, which goes on to its end even if the caller is cancelled meanwhile.

    It begins at once, and as long as it waits for nothing that costs no turn of the event loop.
    """
    task = begin(coroutine)
    return task.result() if task.done() else await asyncio.shield(task)


def begin[T](coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Run `coroutine` now, up to where it first waits; the task is done if it never does."""
    task: asyncio.Task[T] = asyncio.Task(coroutine, loop=asyncio.get_running_loop(), eager_start=True)
    if not task.done():
        _alive.add(task)
        task.add_done_callback(_done)
    return task


def _done(task: asyncio.Task[Any]) -> None:
    _alive.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _logger.error("task %s failed", task.get_name(), exc_info=error)
