import asyncio

from sluicegate.proxy.outbox import ROOM, Outbox


async def test_what_is_ready_is_taken_together_with_the_end():
    outbox = Outbox()
    outbox.post(b"head")
    await outbox.put(b"body")
    outbox.end()

    assert await outbox.take() == (b"headbody", True)


async def test_the_taker_waits_for_the_maker():
    outbox = Outbox()
    taking = asyncio.get_running_loop().create_task(outbox.take())
    await asyncio.sleep(0)
    outbox.post(b"late")

    assert await taking == (b"late", False)


async def test_the_maker_waits_until_there_is_room():
    outbox = Outbox()
    making = asyncio.get_running_loop().create_task(outbox.put(b"x" * (ROOM + 1)))
    await asyncio.sleep(0)
    assert not making.done()

    await outbox.take()
    await making


async def test_an_empty_end_is_an_end():
    outbox = Outbox()
    outbox.end()

    assert await outbox.take() == (b"", True)
