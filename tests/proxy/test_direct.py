import asyncio
import contextlib

import pytest

from sluicegate.errors import ClientGone
from sluicegate.proxy.client_stream import ClientProtocol
from sluicegate.proxy.direct import TOGETHER, Attention, Direct


class Handler:
    """As much of mitmproxy's connection handler as is used."""

    def __init__(self):
        self.heard = 0
        self.client = object()
        self.timeout_watchdog = self
        self.told = []

    def register_activity(self):
        self.heard += 1

    async def server_event(self, event):
        self.told.append(event)


class Receiver:
    """Stands in for the lane."""

    def __init__(self):
        self.taken = []
        self.ends = 0
        self.gates = []

    def take(self, data):
        self.taken.append(data)

    def clogged(self, clogged):
        self.gates.append(clogged)

    def ended(self):
        self.ends += 1


def direct_on(writer, handler=None, lane=None):
    lane = lane or Receiver()
    return Direct.open(handler or Handler(), writer, lane, lane.ended)


@contextlib.asynccontextmanager
async def connected():
    """A real connection: a writer on one side, a reader on the other."""
    accepted = asyncio.Queue()
    server = await asyncio.get_running_loop().create_server(
        lambda: ClientProtocol(lambda *streams: accepted.put_nowait(streams)), "127.0.0.1", 0
    )
    reader, client = await asyncio.open_connection(*server.sockets[0].getsockname())
    _, writer = await accepted.get()
    try:
        yield writer, reader
    finally:
        for stream in (writer, client):
            stream.close()
            with contextlib.suppress(OSError):
                await stream.wait_closed()
        server.close()
        await server.wait_closed()


async def test_a_small_answer_is_one_write():
    async with connected() as (writer, reader):
        lane, written = Receiver(), []
        write = writer.transport.write
        writer.transport.write = lambda data: (written.append(data), write(data))
        direct = direct_on(writer, lane=lane)
        direct.post(b"head")
        await direct.put(b"body")
        direct.end()

        assert written == [b"headbody"]
        assert await reader.readexactly(8) == b"headbody"
        assert lane.ends == 1


async def test_the_last_piece_is_written_by_the_end():
    async with connected() as (writer, reader):
        direct = direct_on(writer)
        direct.post(b"all", last=True)
        direct.end()

        assert await reader.readexactly(3) == b"all"


async def test_a_head_does_not_wait_for_its_body():
    async with connected() as (writer, reader):
        direct = direct_on(writer)
        direct.post(b"head")

        assert await reader.readexactly(4) == b"head"
        direct.end()


async def test_the_connection_is_not_idle_while_it_waits():
    async with connected() as (writer, _):
        protocol = writer.transport.get_protocol()
        direct = direct_on(writer)
        assert not protocol.busy
        direct.begin()
        assert protocol.busy
        direct.end()
        assert not protocol.busy


async def test_a_client_that_does_not_read_is_waited_for():
    async with connected() as (writer, reader):
        direct = direct_on(writer)
        sent = 0

        async def send():
            nonlocal sent
            while sent < 200:
                await direct.put(b"x" * (TOGETHER + 1))
                sent += 1

        sending = asyncio.get_running_loop().create_task(send())
        before = -1
        while before != sent:
            before = sent
            for _ in range(100):
                await asyncio.sleep(0)
        assert sent < 200
        await reader.readexactly(200 * (TOGETHER + 1))
        await sending
        direct.end()


async def put_for_ever(direct):
    while True:
        await direct.put(b"x" * (TOGETHER + 1))
        await asyncio.sleep(0)


async def test_a_client_that_is_gone_is_an_error_of_its_own():
    async with connected() as (writer, _):
        writer.transport.abort()
        direct = direct_on(writer)
        with pytest.raises(ClientGone):
            await put_for_ever(direct)
        direct.end()


async def test_mitmproxy_is_asked_by_an_event():
    async with connected() as (writer, _):
        handler = Handler()
        direct_on(writer, handler).rouse()
        while not handler.told:
            await asyncio.sleep(0)

    assert isinstance(handler.told[0], Attention)
    assert handler.told[0].connection is handler.client


async def test_a_client_that_is_heard_of_is_not_idle():
    async with connected() as (writer, _):
        handler = Handler()
        direct_on(writer, handler).heard()

    assert handler.heard == 1


async def test_a_stream_that_is_not_ours_has_no_direct_way():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())

    assert Direct.open(Handler(), writer, Receiver(), lambda: None) is None
    writer.close()
    server.close()
