import asyncio

import pytest

from sluicegate.errors import ResponseCutShort, ResponseMalformed
from sluicegate.upstream import Pool
from sluicegate.upstream.response import MAX_HEAD, MAX_WAITING
from support.origin import Peer, ScriptedOrigin, answer, once, response, script
from support.upstream import address, eventually, fetch, get, no_interim, pieces

OK = response(body=b"second")
MIB = 1024 * 1024


async def test_name_value_and_reason_come_raw_and_in_wire_order(pool: Pool):
    head = b"HTTP/1.1 200 Tr\xe8s bien\r\nx-A: 1\r\nSet-Cookie: a\r\nX-a:  \xff  \r\nSet-cookie: b\r\nContent-Length: 0\r\n\r\n"
    async with ScriptedOrigin(answer(head)) as origin:
        fetched = await fetch(pool, get(address(origin)))

    assert fetched.head.reason == b"Tr\xe8s bien"
    assert fetched.head.fields == [
        (b"x-A", b"1"),
        (b"Set-Cookie", b"a"),
        (b"X-a", b"\xff"),
        (b"Set-cookie", b"b"),
        (b"Content-Length", b"0"),
    ]


async def test_a_response_in_single_bytes_is_the_same_response(pool: Pool):
    async def dribble(peer: Peer) -> None:
        await peer.request()
        for byte in b"HTTP/1.1 200 Fine\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n":
            peer.send(bytes([byte]))
            await peer.drain()
            await asyncio.sleep(0)
        await peer.gone()

    async with ScriptedOrigin(dribble) as origin:
        fetched = await fetch(pool, get(address(origin)))

        assert (fetched.head.reason, fetched.head.fields[0]) == (b"Fine", (b"A", b"b"))
        assert (fetched.body, fetched.trailers) == (b"abc", [(b"T", b"u")])
        assert pool.stats()[address(origin)].idle == 1


@pytest.mark.parametrize("fields", [[], [("Content-Length", "999")], [("Transfer-Encoding", "chunked")]])
async def test_the_answer_to_head_has_no_body_and_the_connection_is_used_again(
    pool: Pool, fields: list[tuple[str, str]]
):
    reply = ("HTTP/1.1 200 OK\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n").encode()
    async with ScriptedOrigin(answer(reply)) as origin:
        first = await fetch(pool, get(address(origin), method="HEAD"))
        second = await fetch(pool, get(address(origin), method="HEAD"))

    assert (first.body, second.body, second.reused) == (b"", b"", True)
    assert len(first.head.fields) == len(fields)


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_body_end_with_the_head(pool: Pool, status: int):
    reply = f'HTTP/1.1 {status} X\r\nETag: "a"\r\n\r\n'.encode()
    async with ScriptedOrigin(answer(reply)) as origin:
        fetched = [await fetch(pool, get(address(origin))) for _ in range(2)]

    assert [(one.head.status, one.body, one.reused) for one in fetched] == [(status, b"", False), (status, b"", True)]


async def test_a_304_may_tell_the_length_of_what_it_does_not_send(pool: Pool):
    async with ScriptedOrigin(answer(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")) as origin:
        assert (await fetch(pool, get(address(origin)))).body == b""
        assert (await fetch(pool, get(address(origin)))).reused


async def test_rfc9112_6_3_8_a_body_may_end_with_the_connection(pool: Pool):
    async with ScriptedOrigin(once(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")) as origin:
        assert [(await fetch(pool, get(address(origin)))).body for _ in range(2)] == [b"until the end"] * 2
        assert origin.accepted == 2


async def test_early_hints_are_told_before_the_response(pool: Pool):
    hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with ScriptedOrigin(answer(hints + OK)) as origin:
        fetched = await fetch(pool, get(address(origin)))

    assert [(head.status, head.fields) for head in fetched.interims] == [(100, []), (103, [(b"Link", b"</a>")])]
    assert (fetched.head.status, fetched.body) == (200, b"second")


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MAX_HEAD + 1) + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (MAX_HEAD // 6 + 1) + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * (MAX_HEAD // 28 + 1),
    ],
    ids=lambda reply: repr(reply[:44]),
)
async def test_a_malformed_head_is_told_and_the_connection_closed(pool: Pool, reply: bytes):
    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.send(reply)
        await peer.gone()

    async with ScriptedOrigin(handle) as origin:
        with pytest.raises(ResponseMalformed):
            await fetch(pool, get(address(origin)))
        await origin.until(lambda origin: origin.open == 0)


async def test_a_large_head_within_the_bound_passes_with_a_large_body_behind_it(pool: Pool):
    fields = [("X", "y" * 1000)] * 200
    body = b"z" * MIB
    async with ScriptedOrigin(answer(response(body=body, fields=fields))) as origin:
        fetched = await fetch(pool, get(address(origin)))

    assert (len(fetched.head.fields), fetched.body) == (201, body)


async def test_trailers_without_end_are_malformed(pool: Pool):
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n" + b"T: u\r\n" * MAX_HEAD
    async with ScriptedOrigin(once(endless)) as origin:
        with pytest.raises(ResponseMalformed):
            await fetch(pool, get(address(origin)))


async def test_a_body_that_has_come_is_there_whole_and_only_then(pool: Pool):
    go_on = asyncio.Event()

    async def in_two(peer: Peer):
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        await peer.drain()
        await go_on.wait()
        peer.send(b"lf")
        await peer.drain()

    async with ScriptedOrigin(in_two) as origin:
        reply = await (await pool.connect(address(origin))).exchange(get(address(origin)), None, no_interim)
        assert reply.whole() is None
        go_on.set()
        while not reply.body.complete:
            await asyncio.sleep(0)

        assert reply.whole() == b"half"
        assert await reply.body.read() == b""


async def test_a_broken_chunk_gives_what_came_and_then_the_error(pool: Pool):
    async with ScriptedOrigin(
        once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
    ) as origin:
        connection = await pool.connect(address(origin))
        body = (await connection.exchange(get(address(origin)), None, no_interim)).body

        assert await body.read() == b"abc"
        for _ in range(2):
            with pytest.raises(ResponseMalformed):
                await body.read()


@pytest.mark.parametrize(
    ("reply", "untouched"),
    [
        (b"", True),
        (b"HTTP/1.1 20", False),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", False),
    ],
)
async def test_a_response_cut_short_raises_and_says_whether_a_byte_came(pool: Pool, reply: bytes, untouched: bool):
    async with ScriptedOrigin(once(reply)) as origin:
        with pytest.raises(ResponseCutShort) as caught:
            await fetch(pool, get(address(origin)))

    assert caught.value.untouched is untouched


async def test_a_reset_instead_of_an_answer_is_untouched(pool: Pool):
    async def reset(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with ScriptedOrigin(reset) as origin:
        with pytest.raises(ResponseCutShort, match="reset") as caught:
            await fetch(pool, get(address(origin)))

    assert caught.value.untouched


@pytest.mark.parametrize("framing", ["", "Content-Length: 10\r\n"])
async def test_a_reset_half_way_gives_what_came_and_then_the_error(pool: Pool, framing: str):
    arrived = asyncio.Event()

    async def cut(peer: Peer) -> None:
        await peer.request()
        peer.send(f"HTTP/1.1 200 OK\r\n{framing}\r\npart".encode())
        await arrived.wait()
        peer.reset()

    async with ScriptedOrigin(cut) as origin:
        connection = await pool.connect(address(origin))
        body = (await connection.exchange(get(address(origin)), None, no_interim)).body
        assert await body.read() == b"part"
        arrived.set()

        with pytest.raises(ResponseCutShort) as caught:
            await body.read()
        assert not caught.value.untouched


async def test_bytes_beyond_the_announced_length_are_dropped_with_the_connection(pool: Pool):
    surplus = response(body=b"first") + response(body=b"never asked for")
    async with ScriptedOrigin(script(answer(surplus), answer(OK))) as origin:
        assert (await fetch(pool, get(address(origin)))).body == b"first"
        second = await fetch(pool, get(address(origin)))

    assert (second.body, second.reused) == (b"second", False)


async def test_a_body_after_a_204_is_not_taken_for_the_next_response(pool: Pool):
    async with ScriptedOrigin(script(answer(b"HTTP/1.1 204 No Content\r\n\r\n" + OK), answer(OK))) as origin:
        await fetch(pool, get(address(origin)))
        assert not (await fetch(pool, get(address(origin)))).reused


async def test_the_surplus_of_a_large_body_costs_the_connection(pool: Pool):
    body = b"x" * MIB
    async with ScriptedOrigin(script(answer(response(body=body) + b"surplus"), answer(OK))) as origin:
        assert (await fetch(pool, get(address(origin)))).body == body
        assert not (await fetch(pool, get(address(origin)))).reused


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_slow_reader_holds_the_origin_back(pool: Pool, framing: str):
    total = 100 * MIB
    piece = b"x" * MIB
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        head = {"length": b"Content-Length: %d\r\n" % total, "chunked": b"Transfer-Encoding: chunked\r\n", "close": b""}
        peer.send(b"HTTP/1.1 200 OK\r\n" + head[framing] + b"\r\n")
        for _ in range(total // MIB):
            peer.send(b"%x\r\n%b\r\n" % (MIB, piece) if framing == "chunked" else piece)
            await peer.drain()
            sent += MIB
        if framing == "chunked":
            peer.send(b"0\r\n\r\n")

    async with ScriptedOrigin(flood) as origin:
        connection = await pool.connect(address(origin))
        response_ = await connection.exchange(get(address(origin)), None, no_interim)
        incoming = response_.body
        await eventually(lambda: incoming.buffered > MAX_WAITING)
        received = largest = 0
        async for data in pieces(incoming):
            assert sent - received < 20 * MIB
            largest = max(largest, len(data), incoming.buffered)
            received += len(data)

    assert received == total
    assert largest < 2 * MAX_WAITING


async def test_giving_a_body_up_closes_the_connection(pool: Pool):
    async def endless(peer: Peer) -> None:
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
        await peer.gone()

    async with ScriptedOrigin(endless) as origin:
        connection = await pool.connect(address(origin))
        body = (await connection.exchange(get(address(origin)), None, no_interim)).body
        await body.aclose()
        await body.aclose()
        await origin.until(lambda origin: origin.open == 0)

        with pytest.raises(ResponseCutShort):
            await body.read()


async def test_giving_up_a_complete_body_keeps_the_connection_and_never_looks_like_its_end(pool: Pool):
    async with ScriptedOrigin(answer(OK)) as origin:
        connection = await pool.connect(address(origin))
        body = (await connection.exchange(get(address(origin)), None, no_interim)).body
        await body.aclose()

        with pytest.raises(ResponseCutShort):
            await body.read()
        assert (await fetch(pool, get(address(origin)))).reused


async def test_the_length_is_told_when_the_framing_tells_it(pool: Pool):
    replies = {
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc": 3,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": None,
        b"HTTP/1.1 200 OK\r\n\r\nabc": None,
        b"HTTP/1.1 204 No Content\r\n\r\n": 0,
    }
    for reply, length in replies.items():
        async with ScriptedOrigin(once(reply)) as origin:
            connection = await pool.connect(address(origin))
            body = (await connection.exchange(get(address(origin)), None, no_interim)).body
            assert body.length == length
            await body.aclose()
