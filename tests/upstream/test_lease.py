import asyncio

import pytest

from sluicegate.core.http import ResponseHead
from sluicegate.errors import BadRequest, BodyTimeout, ClientGone, ResponseTimeout
from sluicegate.upstream import Pool
from support.origin import Peer, ScriptedOrigin, answer, hang, response
from support.upstream import MakePool, PieceBody, address, eventually, fetch, get, no_interim, pieces


async def test_the_head_is_written_before_the_first_suspension(pool: Pool):
    async with ScriptedOrigin(answer(response())) as origin:
        lease = await pool.connect(address(origin))
        exchange = lease.exchange(get(address(origin), "/now"), None, no_interim)
        try:
            exchange.send(None)
            # Nothing more of the exchange runs, and still the origin gets it.
            await origin.until(lambda origin: [seen.target for seen in origin.log] == ["/now"])
        finally:
            exchange.close()


async def test_a_request_that_cannot_be_written_costs_nothing(pool: Pool):
    async with ScriptedOrigin(answer(response())) as origin:
        lease = await pool.connect(address(origin))
        with pytest.raises(BadRequest):
            await lease.exchange(get(address(origin), fields=[(b"A", b"b\r\nC: d")]), None, no_interim)

        assert pool.stats()[address(origin)].idle == 1
        await fetch(pool, get(address(origin)))
        assert (origin.accepted, len(origin.log)) == (1, 1)


async def test_an_origin_that_never_answers_times_out_and_its_connection_is_closed(make_pool: MakePool):
    pool = make_pool(first_byte_timeout_s=0.05)
    async with ScriptedOrigin(hang) as origin:
        with pytest.raises(ResponseTimeout, match="head") as caught:
            await fetch(pool, get(address(origin)))
        assert caught.value.proxy_error == "http_response_timeout"

        await origin.until(lambda origin: origin.open == 0)
        await eventually(lambda: pool.stats() == {})


async def test_an_origin_that_stops_in_its_body_times_out(make_pool: MakePool):
    pool = make_pool(idle_timeout_s=0.05)

    async def stall(peer: Peer) -> None:
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await peer.gone()

    async with ScriptedOrigin(stall) as origin:
        lease = await pool.connect(address(origin))
        body = (await lease.exchange(get(address(origin)), None, no_interim)).body
        assert await body.read() == b"half"
        with pytest.raises(BodyTimeout, match="piece") as caught:
            await body.read()
        assert caught.value.proxy_error == "connection_read_timeout"

        await origin.until(lambda origin: origin.open == 0)


async def test_a_reader_who_takes_his_time_is_no_timeout_of_the_origin(make_pool: MakePool):
    pool = make_pool(idle_timeout_s=0.03, first_byte_timeout_s=0.03, keepalive_s=0.03)
    go = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await go.wait()
        peer.send(b"cd")
        await peer.gone()

    async with ScriptedOrigin(handle) as origin, ScriptedOrigin(hang) as other:
        lease = await pool.connect(address(origin))
        body = (await lease.exchange(get(address(origin)), None, no_interim)).body
        with pytest.raises(ResponseTimeout):
            await fetch(pool, get(address(other)))
        go.set()

        assert b"".join([piece async for piece in pieces(body)]) == b"abcd"


@pytest.mark.parametrize("started", ["before", "head", "body"])
async def test_a_cancelled_exchange_leaves_nothing_behind(pool: Pool, started: str):
    async def handle(peer: Peer) -> None:
        await peer.request()
        if started != "before":
            peer.send(b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 9\r\n\r\nab" if started == "body" else b""))
        await peer.gone()

    async with ScriptedOrigin(handle) as origin:
        got = asyncio.Event()

        async def exchange() -> None:
            lease = await pool.connect(address(origin))
            reply = await lease.exchange(get(address(origin)), None, no_interim)
            try:
                await reply.body.read()
                got.set()
                await reply.body.read()
            finally:
                await reply.body.aclose()

        task = asyncio.get_running_loop().create_task(exchange())
        await origin.until(lambda origin: len(origin.log) == 1)
        if started == "body":
            await got.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await origin.until(lambda origin: origin.open == 0)
        await eventually(lambda: pool.stats() == {})


@pytest.mark.parametrize("failure", [ClientGone("left"), RuntimeError("bug")])
async def test_whoever_is_told_of_interims_may_give_up(pool: Pool, failure: Exception):
    async def refuse(_: ResponseHead) -> None:
        raise failure

    async def handle(peer: Peer) -> None:
        await peer.head()
        peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await peer.gone()

    async with ScriptedOrigin(handle) as origin:
        lease = await pool.connect(address(origin))
        with pytest.raises(type(failure)):
            await lease.exchange(get(address(origin)), PieceBody([b"a"], gate=asyncio.Event()), refuse)

        await origin.until(lambda origin: origin.open == 0)


async def test_the_first_byte_clock_starts_when_the_request_is_out(make_pool: MakePool):
    pool = make_pool(first_byte_timeout_s=0.03)
    gate = asyncio.Event()
    async with ScriptedOrigin(answer(response(body=b"done"))) as origin, ScriptedOrigin(hang) as other:
        upload = asyncio.get_running_loop().create_task(
            fetch(pool, get(address(origin), method="PUT"), PieceBody([b"a", b"b"], length=2, gate=gate))
        )
        await origin.until(lambda origin: len(origin.log) == 1)
        for _ in range(2):
            with pytest.raises(ResponseTimeout):
                await fetch(pool, get(address(other)))
        gate.set()

        assert (await upload).body == b"done"


async def test_what_is_sent_in_two_parts_is_told_of_once_and_is_there_whole(pool: Pool):
    async with ScriptedOrigin(answer(response(body=b"hello"))) as origin:
        await fetch(pool, get(address(origin)))
        lease = pool.idle(address(origin))
        news = asyncio.Event()
        lease.send(get(address(origin), "/now"), news.set)
        assert lease.whole() is None
        assert pool.idle(address(origin)) is None
        await news.wait()

        whole = lease.whole()
        assert (whole.head.status, whole.content, whole.length) == (200, b"hello", 5)
        assert pool.stats()[address(origin)].idle == 1
        assert origin.log[1].target == "/now"


async def test_what_is_sent_in_two_parts_can_be_waited_for_after_all(pool: Pool):
    release = asyncio.Event()

    async def half(peer: Peer) -> None:
        await peer.request()
        peer.send(response(body=b"warm"))
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        await release.wait()
        peer.send(b"done")
        await peer.gone()

    async with ScriptedOrigin(half) as origin:
        await fetch(pool, get(address(origin)))
        lease = pool.idle(address(origin))
        news = asyncio.Event()
        lease.send(get(address(origin)), news.set)
        await news.wait()
        assert lease.whole() is None
        body = (await lease.response(no_interim)).body
        release.set()

        assert b"".join([piece async for piece in pieces(body)]) == b"halfdone"


async def test_what_is_sent_in_two_parts_and_abandoned_closes_the_connection_without_a_word(pool: Pool):
    async def once(peer: Peer) -> None:
        await peer.request()
        peer.send(response(body=b"warm"))
        await peer.head()
        await peer.gone()

    async with ScriptedOrigin(once) as origin:
        await fetch(pool, get(address(origin)))
        lease = pool.idle(address(origin))
        told = []
        lease.send(get(address(origin)), lambda: told.append(1))
        lease.abandon()
        lease.abandon()
        await origin.until(lambda origin: origin.open == 0)

    assert told == []


async def test_an_origin_that_never_answers_what_was_sent_is_news_too(make_pool: MakePool):
    pool = make_pool(first_byte_timeout_s=0.05)

    async def once(peer: Peer) -> None:
        await peer.request()
        peer.send(response(body=b"warm"))
        await peer.head()
        await peer.gone()

    async with ScriptedOrigin(once) as origin:
        await fetch(pool, get(address(origin)))
        lease = pool.idle(address(origin))
        news = asyncio.Event()
        lease.send(get(address(origin)), news.set)
        await news.wait()
        assert lease.whole() is None
        with pytest.raises(ResponseTimeout, match="head"):
            await lease.response(no_interim)
