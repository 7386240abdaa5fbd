"""The configured store, for a command that looks after it as one more process beside those that run."""

from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

import click

from sluicegate.clock import SystemClock
from sluicegate.config.models import Settings
from sluicegate.core.caching.listing import Listed
from sluicegate.core.ports import CacheStore
from sluicegate.loop import run
from sluicegate.observe.witness import Witness
from sluicegate.opening import cache_store_beside
from sluicegate.stores.cache.disk.database import DATABASE_NAME
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.upkeep.selection import Selection, select

INTERRUPTED_EXIT = 130


def run_command[T](ctx: click.Context, main: Coroutine[Any, Any, T]) -> T:
    """Run `main`; Ctrl-C ends it and the command, quietly."""
    try:
        return run(main)
    except KeyboardInterrupt:
        ctx.exit(INTERRUPTED_EXIT)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[CacheStore]:
    """The store; an empty one where nothing was ever stored, for which nothing is made. Notes go to standard error.

    Raises StartError, and click.UsageError for a store that is in the memory of another process.
    """
    if settings.cache.store == "memory":
        raise click.UsageError(
            "cache.store is memory: only the running proxy has what is stored. "
            "`cache ls` and `cache purge` ask it through its admin server; the others need disk or redis."
        )
    directory = settings.state_dir / "cache"
    if settings.cache.store == "disk" and not (directory / DATABASE_NAME).exists():
        click.echo(f"Note: nothing was ever stored in {directory}.", err=True)
        yield MemoryCacheStore()
        return
    witness = Witness()
    try:
        async with cache_store_beside(settings, witness, SystemClock()) as store:
            yield store
    finally:
        for warning in witness.warnings:
            click.echo(f"Warning: {warning}", err=True)


async def chosen(store: CacheStore, selections: Iterable[Selection], now: float) -> AsyncIterator[Listed]:
    """What is meant by any of the selections. Raises CacheStoreError."""
    for selection in selections:
        async for listed in select(store, selection, now):
            yield listed
