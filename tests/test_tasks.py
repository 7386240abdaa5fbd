import asyncio
import logging

from sluicegate.tasks import spawn, undisturbed


async def test_a_task_that_fails_is_reported_by_name(caplog):
    async def fails():
        raise RuntimeError("a bug")

    with caplog.at_level(logging.ERROR):
        task = spawn(fails(), name="the failing one")
        await asyncio.wait([task])

    assert "the failing one" in caplog.text
    assert "a bug" in caplog.text


async def test_a_cancelled_task_is_no_failure(caplog):
    task = spawn(asyncio.Event().wait(), name="waits")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert caplog.text == ""


async def test_what_must_not_be_disturbed_begins_at_once_and_gives_its_result():
    async def quick():
        return 5

    async def slow():
        await asyncio.sleep(0)
        return 6

    assert [await undisturbed(quick()), await undisturbed(slow())] == [5, 6]


async def test_what_must_not_be_disturbed_goes_on_when_its_caller_is_cancelled():
    begun, ended, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work():
        begun.set()
        await go_on.wait()
        ended.set()

    caller = spawn(undisturbed(work()), name="caller")
    await begun.wait()
    caller.cancel()
    await asyncio.wait([caller])
    go_on.set()
    await ended.wait()

    assert caller.cancelled()
