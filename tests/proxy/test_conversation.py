import asyncio
import gc

from sluicegate.clock import SystemClock
from sluicegate.core.events import Access
from sluicegate.errors import BadRequest
from sluicegate.proxy.conversation import Conversation
from sluicegate.proxy.feed import ClientBody
from sluicegate.proxy.outbox import Outbox
from sluicegate.proxy.reader import Incoming
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response

STORED = answer(response(body=b"hello", fields=[("Cache-Control", "max-age=60")]))


def converse(bench, url, *, ended=None, expects=False, **options):
    call = bench.call(url, **options)
    incoming = Incoming(
        call.request, call.body, keep_alive=True, http_10=False, expects_continue=expects, host_matches=True
    )
    outbox = Outbox()
    conversation = Conversation(
        bench.engine,
        call,
        incoming,
        outbox,
        clock=SystemClock(),
        events=bench.events,
        on_end=ended or (lambda _: None),
    )
    return conversation, outbox


async def collect(outbox):
    pieces, last = [], False
    while not last:
        piece, last = await outbox.take()
        pieces.append(piece)
    return b"".join(pieces)


async def test_a_small_answer_is_taken_whole():
    async with ScriptedOrigin(STORED) as origin, engine_bench() as bench:
        ended = []
        conversation, outbox = converse(bench, origin.url + "/a", ended=ended.append)
        conversation.start()
        sent = await collect(outbox)

    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.endswith(b"\r\n\r\nhello")
    assert not conversation.close_after
    assert ended == [conversation]
    (access,) = bench.events.of(Access)
    assert (access.status, access.bytes_sent, access.cache, access.error) == (200, 5, "miss", "")


async def test_the_entry_is_stored_by_the_time_the_client_has_its_last_byte():
    async with ScriptedOrigin(STORED) as origin, engine_bench() as bench:
        conversation, outbox = converse(bench, origin.url + "/a")
        conversation.start()
        await collect(outbox)
        conversation.abandon()
        again = await bench.ask(origin.url + "/a")

    assert again.call.cache == "hit"


async def test_a_client_that_leaves_while_it_waits_ends_the_exchange():
    async def silent(peer):
        await peer.head()
        await peer.gone()

    async with ScriptedOrigin(silent) as origin, engine_bench() as bench:
        conversation, outbox = converse(bench, origin.url + "/a")
        conversation.start()
        await origin.until(lambda server: server.log != [])
        conversation.abandon()
        assert await collect(outbox) == b""
        await origin.until(lambda server: server.open == 0)

    assert conversation.close_after
    assert bench.events.of(Access)[0].error == "client_gone"
    assert bench.gate.in_flight == 0


async def test_an_answer_that_is_cut_short_cuts_the_connection():
    async def cut(peer):
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await peer.drain()

    async with ScriptedOrigin(cut) as origin, engine_bench() as bench:
        conversation, outbox = converse(bench, origin.url + "/a")
        conversation.start()
        sent = await collect(outbox)

    assert sent.endswith(b"half")
    assert conversation.close_after
    assert bench.events.of(Access)[0].error == "http_response_incomplete"


async def test_100_continue_comes_once_the_origin_is_being_sent_the_request():
    async with ScriptedOrigin(STORED) as origin, engine_bench() as bench:
        body = ClientBody(3, pause=lambda: None, resume=lambda: None)
        conversation, outbox = converse(bench, origin.url + "/a", method="PUT", body=body, expects=True)
        conversation.start()
        first, last = await outbox.take()
        assert (first, last) == (b"HTTP/1.1 100 Continue\r\n\r\n", False)
        body.feed(b"abc")
        body.end()
        await collect(outbox)

    assert origin.log[0].body == b"abc"


async def test_a_refusal_asks_nobody_and_ends_the_connection():
    async with ScriptedOrigin(STORED) as origin, engine_bench() as bench:
        conversation, outbox = converse(bench, origin.url + "/a")
        conversation.refuse(BadRequest("no"))
        sent = await collect(outbox)

    assert sent.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Connection: close" in sent
    assert origin.accepted == 0


async def test_a_slow_client_slows_the_origin():
    pieces = 0

    async def endless(peer):
        nonlocal pieces
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n" % (10**9))
        while True:
            peer.send(b"x" * 100_000)
            await peer.drain()
            pieces += 1

    async with ScriptedOrigin(endless) as origin, engine_bench() as bench:
        conversation, outbox = converse(bench, origin.url + "/a")
        conversation.start()
        await outbox.take()
        before = -1
        while before != pieces:
            before = pieces
            for _ in range(200):
                await asyncio.sleep(0)
        stalled_at = pieces
        conversation.abandon()
        await collect(outbox)

    assert stalled_at < 200


def converse_plainly(bench, url):
    """The same with a request that may be sent at once."""
    conversation, outbox = converse(bench, url)
    conversation._call.plain = True
    return conversation, outbox


async def test_what_waits_for_nothing_is_answered_in_the_call_that_brings_the_response():
    async with ScriptedOrigin(STORED) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/warm")
        conversation, outbox = converse_plainly(bench, origin.url + "/a")
        conversation.start()
        assert bench.gate.in_flight == 1
        sent = await collect(outbox)

    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.endswith(b"\r\n\r\nhello")
    (access,) = bench.events.of(Access)
    assert (access.status, access.bytes_sent, access.cache, access.error) == (200, 5, "miss", "")


async def test_a_body_that_came_at_once_and_is_long_is_sent_at_the_client_s_pace():
    body = b"x" * 100_000
    long = answer(response(body=body, fields=[("Cache-Control", "no-store")]))
    async with ScriptedOrigin(long) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/warm")
        conversation, outbox = converse_plainly(bench, origin.url + "/a")
        conversation.start()

        assert (await collect(outbox)).endswith(b"\r\n\r\n" + body)


async def test_a_client_that_leaves_after_its_request_was_sent_at_once_leaves_nothing_behind():
    async def silent_later(peer):
        await peer.request()
        peer.send(response(body=b"warm", fields=[("Cache-Control", "no-store")]))
        await peer.head()
        await peer.gone()

    async with ScriptedOrigin(silent_later) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/warm")
        conversation, outbox = converse_plainly(bench, origin.url + "/a")
        conversation.start()
        conversation.abandon()
        assert await collect(outbox) == b""
        await origin.until(lambda server: server.open == 0)

    assert conversation.close_after
    assert [access.error for access in bench.events.of(Access)] == ["client_gone"]
    assert bench.gate.in_flight == 0


async def test_a_client_that_leaves_as_its_answer_comes_is_told_of_once():
    async with ScriptedOrigin(STORED) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/warm")
        conversation, outbox = converse_plainly(bench, origin.url + "/a")
        conversation.start()
        conversation.abandon()
        conversation._begun.look()
        await collect(outbox)
        await asyncio.sleep(0)

    assert [access.error for access in bench.events.of(Access)] == ["client_gone"]
    assert bench.gate.in_flight == 0


async def test_what_was_sent_at_once_leaves_no_circles_for_the_garbage_collector():
    async with ScriptedOrigin(STORED) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/warm")
        gc.collect()
        gc.disable()
        try:
            for number in range(100):
                conversation, outbox = converse_plainly(bench, f"{origin.url}/{number}")
                conversation.start()
                await collect(outbox)
            unreachable = gc.collect()
        finally:
            gc.enable()

    assert unreachable < 100, "not one object a request"
