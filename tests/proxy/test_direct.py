import asyncio
import contextlib

import pytest

from sluicegate.errors import ClientGone
from sluicegate.proxy.direct import TOGETHER, ConversationEnded, Direct


class Handler:
    """As much of mitmproxy's connection handler as is used."""

    def __init__(self):
        self.client = object()
        self.timeout_watchdog = self
        self.patient = False
        self.told = []

    @contextlib.contextmanager
    def disarm(self):
        self.patient = True
        yield
        self.patient = False

    async def server_event(self, event):
        self.told.append(event)


@contextlib.asynccontextmanager
async def connected():
    """A real connection: a writer on one side, a reader on the other."""
    accepted = asyncio.Queue()
    server = await asyncio.start_server(lambda *streams: accepted.put_nowait(streams), "127.0.0.1", 0)
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
        handler, written = Handler(), []
        write = writer.write
        writer.write = lambda data: (written.append(data), write(data))
        direct = Direct(handler, writer)
        direct.post(b"head")
        await direct.put(b"body")
        await direct.end()

        assert written == [b"headbody"]
        assert await reader.readexactly(8) == b"headbody"
        assert isinstance(handler.told[0], ConversationEnded)


async def test_a_head_does_not_wait_for_its_body():
    async with connected() as (writer, reader):
        direct = Direct(Handler(), writer)
        direct.post(b"head")

        assert await reader.readexactly(4) == b"head"
        await direct.end()


async def test_the_connection_is_not_idle_while_it_waits():
    async with connected() as (writer, _):
        handler = Handler()
        direct = Direct(handler, writer)
        assert handler.patient
        await direct.end()
        assert not handler.patient


async def test_a_client_that_does_not_read_is_waited_for():
    async with connected() as (writer, reader):
        direct = Direct(Handler(), writer)
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
        await direct.end()


async def put_for_ever(direct):
    while True:
        await direct.put(b"x" * (TOGETHER + 1))
        await asyncio.sleep(0)


async def test_a_client_that_is_gone_is_an_error_of_its_own():
    async with connected() as (writer, _):
        writer.transport.abort()
        direct = Direct(Handler(), writer)
        with pytest.raises(ClientGone):
            await put_for_ever(direct)
        await direct.end()
