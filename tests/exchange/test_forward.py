import asyncio
import gc

import pytest

from sluicegate.core.events import Permitted, UpstreamAnswered, UpstreamFailed
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.exchange.bodies import BytesBody
from sluicegate.upstream import UpstreamPoolSettings
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response, script

PLAIN = answer(response(body=b"ok", fields=[("Cache-Control", "no-store")]))


def limited(**values):
    return {"127.0.0.1": Limit("127.0.0.1", **values)}


async def no_interim(_head):
    pass


async def answers_once(peer):
    """A kept connection that dies under its second request."""
    await peer.request()
    peer.send(response(body=b"ok", fields=[("Cache-Control", "no-store")]))
    await peer.drain()
    await peer.head()
    peer.reset()


async def test_a_request_on_a_dead_kept_connection_is_sent_again_on_a_fresh_one_with_another_permit():
    limits = limited(rates=(Rate(60, 10),))
    async with ScriptedOrigin(script(answers_once, PLAIN)) as origin, engine_bench(hosts=limits) as bench:
        wholes = [await bench.ask(origin.url + "/a") for _ in range(2)]

    assert [whole.status for whole in wholes] == [200, 200]
    assert len(origin.log) == 3
    assert len(bench.events.of(Permitted)) == 3


@pytest.mark.parametrize(("method", "body"), [("POST", b"x"), ("POST", None), ("PATCH", None), ("PUT", b"x")])
async def test_what_may_have_taken_effect_or_has_a_body_is_never_sent_twice(method, body):
    limits = limited(rates=(Rate(60, 10),))
    async with ScriptedOrigin(script(answers_once, PLAIN)) as origin, engine_bench(hosts=limits) as bench:
        await bench.ask(origin.url + "/a")
        whole = await bench.ask(origin.url + "/a", method=method, body=None if body is None else BytesBody(body))

    assert whole.status == 502
    assert [seen.method for seen in origin.log] == ["GET", method]
    assert len(bench.events.of(Permitted)) == 2


async def test_a_request_is_sent_again_once_and_no_more():
    async def dies(peer):
        await peer.head()
        peer.reset()

    limits = limited(rates=(Rate(60, 10),))
    async with ScriptedOrigin(script(answers_once, dies)) as origin, engine_bench(hosts=limits) as bench:
        await bench.ask(origin.url + "/a")
        whole = await bench.ask(origin.url + "/b")

    assert whole.status == 502
    assert [seen.target for seen in origin.log] == ["/a", "/b", "/b"]
    assert len(bench.events.of(Permitted)) == 3


async def test_a_request_whose_answer_has_begun_is_not_sent_again():
    async def half(peer):
        await peer.request()
        peer.send(response(body=b"ok", fields=[("Cache-Control", "no-store")]))
        await peer.drain()
        await peer.head()
        peer.send(b"HTTP/1.1 2")
        await peer.drain()
        peer.reset()

    async with ScriptedOrigin(script(half, PLAIN)) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a")
        whole = await bench.ask(origin.url + "/b")

    assert whole.status == 502
    assert len(origin.log) == 2


async def test_a_fresh_connection_that_dies_is_an_error():
    async def dies(peer):
        await peer.head()
        peer.reset()

    async with ScriptedOrigin(dies) as origin, engine_bench() as bench:
        whole = await bench.ask(origin.url + "/a")

    assert whole.status == 502
    assert len(origin.log) == 1
    assert bench.events.of(UpstreamFailed)[0].error == "http_response_incomplete"
    assert bench.gate.in_flight == 0


async def test_the_permit_is_taken_after_the_connection_is_open():
    async with ScriptedOrigin(PLAIN) as origin:
        url = origin.url
    limits = limited(rates=(Rate(60, 1),))
    async with engine_bench(hosts=limits) as bench:
        refused = await bench.ask(url + "/a")

    assert refused.status == 502
    assert bench.events.of(Permitted) == []


async def test_slots_are_held_until_the_body_has_ended():
    release = asyncio.Event()

    async def slow(peer):
        while await peer.request() is not None:
            peer.send(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\no")
            await release.wait()
            peer.send(b"k")
            await peer.drain()

    async with ScriptedOrigin(slow) as origin, engine_bench(hosts=limited(concurrency=2)) as bench:
        tasks = [asyncio.get_running_loop().create_task(bench.ask(f"{origin.url}/{number}")) for number in range(5)]
        await origin.until(lambda server: len(server.log) == 2)
        assert bench.gate.in_flight == 2
        release.set()
        wholes = await asyncio.gather(*tasks)

    assert {whole.body for whole in wholes} == {b"ok"}
    assert bench.gate.in_flight == 0


async def test_a_response_that_is_there_whole_holds_no_slot():
    async with ScriptedOrigin(answer(response(body=b"ok"))) as origin, engine_bench() as bench:
        reply = await bench.engine.handle(bench.call(origin.url + "/"), no_interim)

        assert bench.gate.in_flight == 0
        assert await reply.body.read() == b"ok"


async def test_a_chunked_response_that_is_there_whole_stays_one_without_a_length():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"

    async def whole(peer):
        await peer.request()
        peer.send(chunked)
        await peer.drain()

    async with ScriptedOrigin(whole) as origin, engine_bench() as bench:
        reply = await bench.engine.handle(bench.call(origin.url + "/"), no_interim)

        assert reply.body.length is None
        assert await reply.body.read() == b"ok"
        assert reply.body.trailers == [(b"X-Sum", b"1")]


async def test_fewer_connections_than_slots_make_requests_slower_and_never_stop_them():
    pool = UpstreamPoolSettings(max_connections=1)
    async with (
        ScriptedOrigin(PLAIN) as first,
        ScriptedOrigin(PLAIN) as second,
        engine_bench(hosts=limited(rates=(Rate(60, 100),), concurrency=8), pool=pool) as bench,
    ):
        asked = [bench.ask(f"{origin.url}/{number}") for number in range(10) for origin in (first, second)]
        wholes = await asyncio.gather(*asked)

        assert {whole.status for whole in wholes} == {200}
        assert (first.open, second.open) in {(0, 1), (1, 0)}
    assert bench.gate.in_flight == 0


async def test_interim_responses_are_told_before_the_final_one():
    async def hints(peer):
        await peer.request()
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + response(body=b"ok"))
        await peer.drain()

    async with ScriptedOrigin(hints) as origin, engine_bench() as bench:
        whole = await bench.ask(origin.url + "/a")

    assert [head.status for head in whole.interim] == [103]
    assert whole.body == b"ok"


async def test_what_concerns_only_the_origins_connection_goes_no_further():
    fields = [("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"), ("X-End", "1")]
    async with ScriptedOrigin(answer(response(body=b"ok", fields=fields))) as origin, engine_bench() as bench:
        whole = await bench.ask(origin.url + "/a")

    assert whole.get("x-hop") is None
    assert whole.get("keep-alive") is None
    assert whole.get("x-end") == "1"
    assert bench.events.of(UpstreamAnswered)[0].status == 200


@pytest.mark.parametrize("moment", ["queue", "response"])
async def test_a_client_that_leaves_holds_nothing(moment):
    async def silent(peer):
        await peer.head()
        await peer.gone()

    limits = limited(concurrency=1)
    async with ScriptedOrigin(silent) as origin, engine_bench(hosts=limits) as bench:
        first = asyncio.get_running_loop().create_task(bench.ask(origin.url + "/first"))
        await origin.until(lambda server: len(server.log) == 1)
        leaving = first
        if moment == "queue":
            leaving = asyncio.get_running_loop().create_task(bench.ask(origin.url + "/second"))
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert bench.gate.in_flight == (1 if moment == "queue" else 0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await origin.until(lambda server: server.open == 0)

    assert bench.gate.in_flight == 0
    assert [seen.target for seen in origin.log] == ["/first"]


async def test_an_exchange_leaves_no_circles_for_the_garbage_collector():
    async with ScriptedOrigin(PLAIN) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/first")
        gc.collect()
        gc.disable()
        try:
            for number in range(100):
                await bench.ask(f"{origin.url}/{number}")
            unreachable = gc.collect()
        finally:
            gc.enable()

    assert unreachable < 100, "not one object a request"
