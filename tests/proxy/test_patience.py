import asyncio

import pytest
from mitmproxy.connection import Client, ConnectionState

from sluicegate.errors import ClientGone
from sluicegate.proxy.patience import Patience
from sluicegate.tasks import spawn
from support.upstream import eventually


@pytest.fixture
def client():
    return Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), state=ConnectionState.OPEN)


class Waiting:
    """Something to wait for, which notices that it is given up."""

    def __init__(self):
        self.begun = False
        self.cancelled = False

    async def __call__(self):
        self.begun = True
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def expect_gone(patience, client, waiting):
    with pytest.raises(ClientGone):
        await patience.wait(client, waiting())


async def test_what_a_client_waits_for_is_given_up_when_it_leaves(client):
    patience, waiting = Patience(), Waiting()
    task = spawn(expect_gone(patience, client, waiting), name="wait")
    await eventually(lambda: waiting.begun)

    patience.end(client)
    patience.end(client)

    await task
    assert waiting.cancelled


async def test_a_client_that_has_left_before_waits_for_nothing(client):
    waiting = Waiting()
    client.state = ConnectionState.CLOSED

    await expect_gone(Patience(), client, waiting)

    assert waiting.cancelled or not waiting.begun


async def test_a_wait_that_ends_in_an_error_of_its_own_says_so(client):
    async def times_out():
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await Patience().wait(client, times_out())


async def test_who_leaves_after_the_wait_is_nobody_s_concern(client):
    patience, arrived = Patience(), asyncio.Event()
    arrived.set()

    async def what():
        await arrived.wait()

    await patience.wait(client, what())
    patience.end(client)
