import asyncio

import pytest

from sluicegate.errors import ClientGone
from sluicegate.proxy.feed import HIGH_WATER, ClientBody


class Transport:
    def __init__(self):
        self.paused = False

    def body(self, length=None):
        return ClientBody(length, pause=lambda: self.set(True), resume=lambda: self.set(False))

    def set(self, paused):
        self.paused = paused


async def read_all(body):
    pieces = []
    while data := await body.read():
        pieces.append(data)
    return b"".join(pieces)


async def test_what_is_fed_is_read_in_order_to_the_end():
    body = Transport().body()
    reading = asyncio.get_running_loop().create_task(read_all(body))
    for piece in (b"a", b"b", b"c"):
        body.feed(piece)
        await asyncio.sleep(0)
    body.end()

    assert await reading == b"abc"


async def test_a_client_that_sends_faster_than_is_read_is_paused_and_resumed():
    transport = Transport()
    body = transport.body()
    body.feed(b"x" * HIGH_WATER)
    assert not transport.paused
    body.feed(b"x")
    assert transport.paused

    await body.read()

    assert not transport.paused


async def test_a_client_that_leaves_in_the_middle_is_an_error_and_never_an_end():
    body = Transport().body(10)
    reading = asyncio.get_running_loop().create_task(read_all(body))
    body.feed(b"half")
    await asyncio.sleep(0)
    body.abort()

    with pytest.raises(ClientGone):
        await reading


async def test_a_client_that_leaves_after_the_body_does_not_spoil_it():
    body = Transport().body(4)
    body.feed(b"full")
    body.end()
    body.abort()

    assert await read_all(body) == b"full"


async def test_what_nobody_reads_is_thrown_away_and_the_client_goes_on():
    transport = Transport()
    body = transport.body()
    body.feed(b"x" * (HIGH_WATER + 1))

    body.discard()
    body.feed(b"x" * (HIGH_WATER + 1))

    assert not transport.paused
    assert await body.read() == b""


async def test_the_first_read_asks_for_the_body_once():
    asked = []
    body = Transport().body()
    body.on_first_read = lambda: asked.append(1)
    body.feed(b"a")
    body.end()

    await read_all(body)

    assert asked == [1]
