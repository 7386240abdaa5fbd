import asyncio

import pytest

from sluicegate.errors import BadRequest, ClientGone, SendTimeout
from sluicegate.upstream import Pool
from support.origin import Peer, ScriptedOrigin, answer, response
from support.upstream import MakePool, PieceBody, address, eventually, fetch, get, no_interim, pieces

MIB = 1024 * 1024


async def test_a_body_of_known_length_arrives_whole(pool: Pool):
    async with ScriptedOrigin(answer(response(201))) as origin:
        for _ in range(2):
            fetched = await fetch(pool, get(address(origin), method="PUT"), PieceBody([b"ab", b"c"], length=3))

        assert fetched.reused
        assert [(seen.body, seen.get("content-length")) for seen in origin.log] == [(b"abc", "3")] * 2


async def test_a_body_of_unknown_length_arrives_in_chunks_with_its_trailers(pool: Pool):
    async with ScriptedOrigin(answer(response())) as origin:
        body = PieceBody([b"a" * 20, b"b"], trailers=[(b"X-Sum", b"21"), (b"X-Sum", b"22")])
        await fetch(pool, get(address(origin), method="POST"), body)
        again = await fetch(pool, get(address(origin)))

        assert again.reused
        assert origin.log[0].body == b"a" * 20 + b"b"
        assert origin.log[0].trailers == [(b"X-Sum", b"21"), (b"X-Sum", b"22")]
        assert origin.log[0].count("content-length") == 0


async def test_an_empty_body_of_unknown_length_is_complete(pool: Pool):
    async with ScriptedOrigin(answer(response())) as origin:
        await fetch(pool, get(address(origin), method="POST"), PieceBody([]))
        assert (await fetch(pool, get(address(origin)))).reused


@pytest.mark.parametrize("length", [100 * MIB, None])
async def test_a_slow_origin_holds_the_sender_back(pool: Pool, length: int | None):
    received = 0
    take = asyncio.Event()

    async def slow(peer: Peer) -> None:
        nonlocal received
        seen = await peer.head()
        assert seen is not None
        await take.wait()
        async for piece in peer.pieces(seen):
            received += len(piece)
            assert body.given - received < 20 * MIB
        peer.send(response())
        await peer.gone()

    body = PieceBody((b"x" * MIB for _ in range(100)), length=length)
    async with ScriptedOrigin(slow) as origin:
        upload = asyncio.get_running_loop().create_task(fetch(pool, get(address(origin), method="PUT"), body))
        await eventually(lambda: any(wire.congested for wire in pool._wires))
        assert body.given < 20 * MIB
        take.set()
        await upload

    assert received == 100 * MIB


async def test_a_refusal_before_the_end_is_returned_at_once_and_stops_the_sending(pool: Pool):
    never = asyncio.Event()

    async def refuse(peer: Peer) -> None:
        await peer.head()
        peer.send(response(413, b"too large"))
        await peer.gone()

    async with ScriptedOrigin(refuse) as origin:
        body = PieceBody([b"a", b"b"], length=2, gate=never)
        fetched = await fetch(pool, get(address(origin), method="POST"), body)

        assert (fetched.head.status, fetched.body) == (413, b"too large")
        await origin.until(lambda origin: origin.open == 0)
        assert pool.stats() == {}


async def test_an_early_refusal_is_read_to_its_end_while_nothing_more_is_sent(pool: Pool):
    more = asyncio.Event()

    async def refuse(peer: Peer) -> None:
        await peer.head()
        peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno")
        await more.wait()
        peer.send(b"pe")
        await peer.gone()

    async with ScriptedOrigin(refuse) as origin:
        gate = asyncio.Event()
        body = PieceBody([b"a", b"b"], length=2, gate=gate)
        lease = await pool.connect(address(origin))
        reply = await lease.exchange(get(address(origin), method="POST"), body, no_interim)
        gate.set()
        more.set()

        assert b"".join([piece async for piece in pieces(reply.body)]) == b"nope"
        assert body.given <= 1
        await origin.until(lambda origin: origin.open == 0)


async def test_an_early_success_does_not_cut_the_upload_short(pool: Pool):
    gate = asyncio.Event()

    async def echo(peer: Peer) -> None:
        seen = await peer.head()
        assert seen is not None
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        async for piece in peer.pieces(seen):
            peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        peer.send(b"0\r\n\r\n")
        await peer.gone()

    async with ScriptedOrigin(echo) as origin:
        lease = await pool.connect(address(origin))
        body = PieceBody([b"one", b"two"], gate=gate)
        reply = await lease.exchange(get(address(origin), method="POST"), body, no_interim)
        assert await reply.body.read() == b"one"
        gate.set()

        assert await reply.body.read() == b"two"
        assert await reply.body.read() == b""
        await eventually(lambda: pool.stats()[address(origin)].idle == 1)


async def test_a_complete_early_success_lets_the_upload_end_before_the_connection_is_used_again(pool: Pool):
    gate = asyncio.Event()

    async def eager(peer: Peer) -> None:
        seen = await peer.head()
        assert seen is not None
        peer.send(response(202))
        seen.body = b"".join([piece async for piece in peer.pieces(seen)])
        peer.server.notify()
        await peer.gone()

    async with ScriptedOrigin(eager) as origin:
        body = PieceBody([b"one", b"two"], length=6, gate=gate)
        fetched = await fetch(pool, get(address(origin), method="PUT"), body)
        assert fetched.head.status == 202
        assert pool.stats()[address(origin)].in_use == 1
        gate.set()

        await origin.until(lambda origin: origin.log[0].body == b"onetwo")
        await eventually(lambda: pool.stats()[address(origin)].idle == 1)


async def test_a_client_that_leaves_ends_the_exchange_and_the_connection(pool: Pool):
    async with ScriptedOrigin(answer(response())) as origin:
        with pytest.raises(ClientGone):
            await fetch(
                pool,
                get(address(origin), method="PUT"),
                PieceBody([b"half"], length=8, failure=ClientGone("The client left.")),
            )

        await origin.until(lambda origin: origin.open == 0 and origin.accepted == 1)


@pytest.mark.parametrize("length", [2, 4])
async def test_a_body_that_lies_about_its_length_never_spoils_a_connection(pool: Pool, length: int):
    async with ScriptedOrigin(answer(response())) as origin:
        with pytest.raises(BadRequest):
            await fetch(pool, get(address(origin), method="PUT"), PieceBody([b"abc"], length=length))

        await eventually(lambda: pool.stats() == {})


async def test_an_origin_that_takes_nothing_any_more_times_out(make_pool: MakePool):
    pool = make_pool(idle_timeout_s=0.05)

    async def stall(peer: Peer) -> None:
        await peer.head()
        peer.writer.transport.pause_reading()
        await asyncio.Event().wait()

    async with ScriptedOrigin(stall) as origin:
        with pytest.raises(SendTimeout, match="stopped taking"):
            await fetch(
                pool, get(address(origin), method="PUT"), PieceBody((b"x" * MIB for _ in range(100)), length=100 * MIB)
            )

        await eventually(lambda: pool.stats() == {})
