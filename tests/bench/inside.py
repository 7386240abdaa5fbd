"""Rooms of Sluicegate by themselves, in a process of its own: `inside.py limiter|queue|store DIRECTORY COUNT`.

Prints one JSON object: figure -> microseconds.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from sluicegate.clock import SystemClock
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.events import Event
from sluicegate.core.http import Origin, RequestHead, ResponseHead
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.rates import parse_rates
from sluicegate.core.limits.table import LimitTable
from sluicegate.core.ports import CacheStore
from sluicegate.gate.gate import Ask, Gate
from sluicegate.stores.cache.disk.store import DiskCacheStore
from sluicegate.stores.permits.sqlite import SqlitePermitStore

RATE = "100000/second"
SAMPLES = 10_000
FEW = 10
"""How many wait where hardly anybody does."""
BODY = bytes(1024)

type Figures = dict[str, float]


class Nobody:
    """Is told of events, and forgets them."""

    def wants(self, _kind: type[Event]) -> bool:
        """Nothing."""
        return False

    def emit(self, event: Event) -> None:
        """Forget it."""


@asynccontextmanager
async def gate(directory: Path) -> AsyncIterator[Gate]:
    """A gate on a real file, with room for everyone."""
    clock = SystemClock()
    store = SqlitePermitStore(directory, clock)
    store.open()
    limit = Limit("bench", parse_rates(RATE), concurrency=8, max_wait_s=600.0, max_queue=1_000_000)
    opened = Gate(LimitTable(limit, {}), store, clock, Nobody(), max_inflight=1_000_000)
    try:
        yield opened
    finally:
        await opened.aclose()
        await store.aclose()


async def limiter(directory: Path, hosts: int) -> Figures:
    """A permit, from the gate's door until the slot is given back, for one of so many hosts at random."""
    names = [f"host{number}.example" for number in range(hosts)]
    async with gate(directory) as opened:
        for name in names:
            await acquire(opened, name)
        chosen = iter(random.Random(1).choices(names, k=SAMPLES))
        return quantiles(await timed(SAMPLES, lambda: acquire(opened, next(chosen))))


async def queue(directory: Path, waiting: int) -> Figures:
    """What a request costs at the gate when so many wait, and when hardly anybody does."""
    async with gate(directory) as opened:
        few = await crowd(opened, FEW, waiting // FEW)
        return {f"{FEW:,} waiting": few, f"{waiting:,} waiting": await crowd(opened, waiting, 1)}


async def crowd(opened: Gate, size: int, times: int) -> float:
    """Microseconds a request when `size` come at once, again and again."""
    began = time.perf_counter()
    for _ in range(times):
        async with asyncio.TaskGroup() as group:
            for _ in range(size):
                group.create_task(acquire(opened, "host.example"))
    return (time.perf_counter() - began) * 1e6 / (size * times)


async def acquire(opened: Gate, host: str) -> None:
    """All that a request does at the gate."""
    turn = await opened.enter(Ask("request", host))
    try:
        await turn.permit()
    finally:
        turn.leave()


async def timed(count: int, call: Callable[[], Awaitable[object]]) -> list[int]:
    """How long each of `count` calls takes (nanoseconds), in order of length."""
    took = []
    for _ in range(count):
        began = time.perf_counter_ns()
        await call()
        took.append(time.perf_counter_ns() - began)
    return sorted(took)


def quantiles(took: list[int], prefix: str = "") -> Figures:
    """The median and the slow end of ordered nanoseconds."""
    return {
        f"{prefix}{name}": took[min(len(took) - 1, int(part * len(took)))] / 1e3
        for name, part in (("p50", 0.5), ("p99", 0.99))
    }


async def store(directory: Path, count: int) -> Figures:
    """So many small responses put into a cache on disk, and looked up again by one that has yet to read them."""
    requests = [request_of(number) for number in range(count)]
    began = time.perf_counter()
    async with cache(directory) as opened:
        waiting = iter(requests)
        put = await timed(count, lambda: keep(opened, next(waiting)))
    on_disk_us = (time.perf_counter() - began) * 1e6 / count
    async with cache(directory) as opened:
        random.Random(1).shuffle(requests)
        waiting = iter([*requests, *requests])
        cold = await timed(count, lambda: look_up(opened, next(waiting)))
        warm = await timed(count, lambda: look_up(opened, next(waiting)))
    return {
        **quantiles(put, "put "),
        "put until on disk": on_disk_us,
        **quantiles(cold, "get from disk "),
        **quantiles(warm, "get from memory "),
    }


@asynccontextmanager
async def cache(directory: Path) -> AsyncIterator[CacheStore]:
    """The cache on disk, in use."""
    opened = DiskCacheStore(directory, events=Nobody(), clock=SystemClock())
    try:
        await opened.entries(cache_key(request_of(-1)))
        yield opened
    finally:
        await opened.aclose()


async def keep(opened: CacheStore, request: RequestHead) -> None:
    """Store a response."""
    writer = opened.begin(cache_key(request), entry_for(request), len(BODY))
    assert writer is not None
    await writer.write(BODY)
    assert await writer.commit() is not None
    await writer.aclose()


async def look_up(opened: CacheStore, request: RequestHead) -> None:
    """Find a response and read its body, as a hit does."""
    key = cache_key(request)
    found = opened.recall(key)
    [entry] = await opened.entries(key) if found is None else found
    if opened.body_at_hand(entry) is None:
        body = await opened.open_body(entry)
        while await body.read():
            pass
        await body.aclose()


def request_of(number: int) -> RequestHead:
    """A request for the number-th URL."""
    return RequestHead("GET", Origin("http", "store.example", 80), f"/{number}", [(b"Accept", b"*/*")])


def entry_for(request: RequestHead) -> StoredEntry:
    """What the policy gives a store for it."""
    fields = [
        (b"Date", b"Mon, 01 Jan 2035 00:00:00 GMT"),
        (b"Cache-Control", b"max-age=86400"),
        (b"Content-Type", b"application/octet-stream"),
        (b"Content-Length", str(len(BODY)).encode()),
    ]
    return StoredEntry("", request, ResponseHead(200, b"OK", fields), time.time(), time.time())


ROOMS = {"limiter": limiter, "queue": queue, "store": store}


def main() -> None:
    import uvloop

    room, directory, count = sys.argv[1:]
    print(json.dumps(uvloop.run(ROOMS[room](Path(directory), int(count)))))


if __name__ == "__main__":
    main()
