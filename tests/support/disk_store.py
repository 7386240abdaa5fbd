"""A cache store on disk for tests: opened, closed, looked into, and run in a process of its own."""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from sluicegate.clock import ManualClock, SystemClock
from sluicegate.stores.cache.disk.changes import Abandon
from sluicegate.stores.cache.disk.database import DATABASE_NAME
from sluicegate.stores.cache.disk.store import DiskCacheStore
from support.cache_stores import Notices

ROOT = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def opened(directory: Path, **options) -> AsyncIterator[DiskCacheStore]:
    """A store that is open; `store.notices` is what it told."""
    notices = options.pop("events", None) or Notices()
    clock = options.pop("clock", None) or SystemClock()
    store = DiskCacheStore(directory, events=notices, clock=clock, **options)
    try:
        await store.entries("http://nobody.example/")
        yield store
    finally:
        await store.aclose()


async def written(store: DiskCacheStore) -> None:
    """Wait until everything that was posted is on disk."""
    disk = await store._ready()
    for _ in range(3):  # what the writer asks of itself comes after
        await disk.writer.make(Abandon([]))


def manual() -> ManualClock:
    return ManualClock()


@contextlib.contextmanager
def database(directory: Path) -> Iterator[sqlite3.Connection]:
    """The store's database, to look into it."""
    with contextlib.closing(sqlite3.connect(directory / DATABASE_NAME, isolation_level=None)) as db:
        yield db


def body_files(directory: Path) -> list[Path]:
    return [path for path in directory.glob("bodies-*/*/*") if path.is_file()]


_PREAMBLE = """
import asyncio, sys
from pathlib import Path
from support.cache_entries import KEY, entry
from support.cache_stores import MIB, ids, keep, body_of, try_to_keep
from support.disk_store import opened, written
DIRECTORY = Path(sys.argv[1])
"""


def start(directory: Path, script: str) -> subprocess.Popen[str]:
    """Run `async def main()` of a script in another process; it reads lines and prints lines."""
    return subprocess.Popen(
        [sys.executable, "-c", f"{_PREAMBLE}\n{script}\nasyncio.run(main())", str(directory)],
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
