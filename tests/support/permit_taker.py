"""A process of its own that takes permits as fast as it gets them, and prints the time of each.

Arguments: directory, rates, seconds, and "queued" or "idle" for what it says of the queue. It prints "ready" first and waits for a line on stdin.
"""

import asyncio
import sys
from pathlib import Path

from sluicegate.clock import SystemClock
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.rates import parse_rates
from sluicegate.errors import PermitStoreBusy
from sluicegate.stores.permits.sqlite import SqlitePermitStore


async def main(directory: str, rates: str, seconds: str, queue: str) -> None:
    clock = SystemClock()
    limit = Limit("test", parse_rates(rates))
    store = SqlitePermitStore(Path(directory), clock)
    store.open()
    print("ready", flush=True)
    sys.stdin.readline()
    until = clock.now() + float(seconds)
    while clock.now() < until:
        try:
            verdict = await store.take("host", limit, queued=queue == "queued")
        except PermitStoreBusy:
            await asyncio.sleep(0.0005)
            continue
        if verdict.admitted:
            sys.stdout.write(f"{clock.now():.9f}\n")
            sys.stdout.flush()
        else:
            await asyncio.sleep(min(verdict.wait_s, 0.01))
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
