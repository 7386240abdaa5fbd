"""A process of its own that takes shared slots as it is told: a line on stdin, an answer on stdout.

Argument: the directory. Lines: "acquire NAME BOUND" (answers yes or no), "release NAME" (answers done), "until NAME
BOUND" (asks every 2 ms, answers yes), "press NAME BOUND SECONDS" (holds one all the time, giving it back every
millisecond; answers how often it got it).
"""

import asyncio
import sys
from pathlib import Path

from sluicegate.clock import SystemClock
from sluicegate.stores.permits.slots import LockedSlots


async def main(directory: str) -> None:
    clock = SystemClock()
    store = LockedSlots(Path(directory), clock)
    store.open()
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        match line.split():
            case "acquire", name, bound:
                answer = "yes" if store.acquire(name, int(bound)) else "no"
            case "release", name:
                store.release(name)
                answer = "done"
            case "until", name, bound:
                while not store.acquire(name, int(bound)):
                    await asyncio.sleep(0.002)
                answer = "yes"
            case "press", name, bound, seconds:
                answer = str(await press(store, clock, name, int(bound), float(seconds)))
            case _:
                answer = "what?"
        print(answer, flush=True)


async def press(store: LockedSlots, clock: SystemClock, name: str, bound: int, seconds: float) -> int:
    count, until = 0, clock.now() + seconds
    while clock.now() < until:
        if store.acquire(name, bound):
            count += 1
            await asyncio.sleep(0.001)
            store.release(name)
        else:
            await asyncio.sleep(0.002)
    return count


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
