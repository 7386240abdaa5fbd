import asyncio
import logging

from sluicegate.tasks import spawn


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
