import asyncio

import pytest

from sluicegate.stores.cache_batch import Put, Remove, Written
from sluicegate.stores.cache_write_behind import WriteBehind
from support.cache_entries import entry


class Disk:
    def __init__(self) -> None:
        self.applied = []
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def apply(self, changes):
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.applied.append(list(changes))
        return [Written()] * len(changes)


@pytest.fixture
async def disk():
    return Disk()


def put(size: int) -> Put:
    return Put("key", entry(), b"x" * size)


async def test_changes_are_made_in_order_and_each_is_told(disk):
    writer, told = WriteBehind(disk.apply), []
    for name in "abc":
        writer.post(Remove(name), lambda written, name=name: told.append((name, written)))
    disk.open.set()
    await writer.flush()

    assert [change.entry_id for batch in disk.applied for change in batch] == ["a", "b", "c"]
    assert told == [("a", Written()), ("b", Written()), ("c", Written())]


async def test_after_a_pause_it_goes_on(disk):
    writer = WriteBehind(disk.apply)
    disk.open.set()
    for name in "ab":
        writer.post(Remove(name), lambda _: None)
        await writer.flush()

    assert [len(batch) for batch in disk.applied] == [1, 1]


async def test_room_is_waited_for_only_above_the_bound(disk):
    writer = WriteBehind(disk.apply, max_waiting=100)
    writer.post(put(100), lambda _: None)
    await writer.room()
    writer.post(put(1), lambda _: None)
    waiting = asyncio.get_running_loop().create_task(writer.room())
    await asyncio.sleep(0)
    assert not waiting.done()

    disk.open.set()
    await waiting


async def test_an_apply_that_raises_is_told_as_a_failure_and_ends_nothing(disk, caplog):
    writer, told = WriteBehind(disk.apply), []
    disk.open.set()
    disk.error = RuntimeError("closed")
    writer.post(Remove("a"), told.append)
    await writer.flush()
    disk.error = None
    writer.post(Remove("b"), told.append)
    await writer.flush()

    assert told == [None, Written()]
    assert "1 changes to the cache are lost" in caplog.text


async def test_flushing_with_nothing_to_write_returns_at_once(disk):
    await WriteBehind(disk.apply).flush()
