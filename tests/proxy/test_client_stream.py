import asyncio
import contextlib
import logging

from sluicegate.proxy.client_stream import ClientProtocol


class Receiver:
    def __init__(self):
        self.taken = b""
        self.gates = []
        self.some = asyncio.Event()

    def take(self, data):
        self.taken += data
        self.some.set()

    def clogged(self, clogged):
        self.gates.append(clogged)
        self.some.set()

    async def wait(self):
        await asyncio.wait_for(self.some.wait(), 10)
        self.some.clear()


@contextlib.asynccontextmanager
async def connected():
    """Our protocol with its reader and writer on one side, plain streams on the other."""
    made, accepted = [], asyncio.Queue()

    def protocol():
        made.append(ClientProtocol(lambda *streams: accepted.put_nowait(streams)))
        return made[-1]

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    far_reader, far_writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    reader, writer = await accepted.get()
    try:
        yield made[0], reader, writer, far_reader, far_writer
    finally:
        for stream in (writer, far_writer):
            stream.close()
            with contextlib.suppress(OSError):
                await stream.wait_closed()
        server.close()
        await server.wait_closed()


async def test_bytes_go_to_the_reader_until_they_are_diverted_and_after_they_are_restored():
    async with connected() as (protocol, reader, _, _, far):
        far.write(b"one")
        assert await reader.read(100) == b"one"
        receiver = Receiver()
        assert protocol.divert(receiver)
        far.write(b"two")
        await receiver.wait()
        protocol.restore()
        far.write(b"three")

        assert await reader.read(100) == b"three"
        assert receiver.taken == b"two"


async def test_nothing_is_diverted_past_bytes_that_nobody_has_read_yet():
    async with connected() as (protocol, reader, _, _, _):
        protocol.data_received(b"early")
        receiver = Receiver()
        assert not protocol.divert(receiver)
        assert await reader.read(2) == b"ea"
        assert not protocol.divert(receiver)
        assert await reader.read(100) == b"rly"
        assert protocol.divert(receiver)


async def test_the_end_of_the_connection_is_still_the_readers_to_notice():
    async with connected() as (protocol, reader, _, _, far):
        assert protocol.divert(Receiver())
        far.close()

        assert await asyncio.wait_for(reader.read(100), 10) == b""


async def test_a_client_that_does_not_read_is_reported_and_so_is_its_catching_up():
    async with connected() as (protocol, _, writer, far_reader, _):
        receiver = Receiver()
        assert protocol.divert(receiver)
        size = 16 * 2**20
        writer.write(b"x" * size)
        await receiver.wait()
        assert receiver.gates == [True]
        await far_reader.readexactly(size)
        await receiver.wait()

        assert receiver.gates == [True, False]


async def test_a_fault_of_ours_cuts_the_connection_and_not_the_proxy(caplog):
    class Faulty(Receiver):
        def take(self, data):
            raise RuntimeError("a bug")

    async with connected() as (protocol, _, _, far_reader, far):
        assert protocol.divert(Faulty())
        far.write(b"anything")
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(far_reader.read(100), 10) == b""
    assert any("a bug" in str(record.exc_info) for record in caplog.records if record.levelno >= logging.ERROR)
