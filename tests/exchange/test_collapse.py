"""Several clients ask for the same thing at the same time: one request to the origin, and each its right answer."""

import asyncio
import contextlib
import gc

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.events import CacheDecided, Permitted
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.errors import ClientGone, ResponseCutShort
from sluicegate.exchange.bodies import BytesBody
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.tasks import spawn
from support.engine import engine_bench
from support.origin import ScriptedOrigin, response

FRESH = [("Cache-Control", "max-age=60"), ("ETag", '"v1"')]
HEAD = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n"


class Gated:
    """A handler that answers with what `reply` makes of the request, once it may."""

    def __init__(self, reply):
        self.go = asyncio.Event()
        self._reply = reply

    async def __call__(self, peer):
        while (seen := await peer.request()) is not None:
            await self.go.wait()
            peer.send(self._reply(seen))
            await peer.drain()


def gated(body=b"hello", fields=FRESH):
    return Gated(lambda seen: response(body=body, fields=fields))


async def asking(bench, origin, count, path="/a", *, waiting=None, **options):
    """Tasks that ask for the same thing; all but the first of them wait for it by then."""
    before = bench.flights.waiting
    tasks = [spawn(bench.ask(origin.url + path, **options), name="client") for _ in range(count)]
    await origin.until(lambda server: server.log != [])
    while bench.flights.waiting < before + (count - 1 if waiting is None else waiting):
        await asyncio.sleep(0)
    return tasks


async def cancel(task):
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def words(wholes):
    return sorted(whole.call.cache for whole in wholes)


async def test_fifty_clients_cost_one_request_and_one_permit():
    handler = gated(b"x" * 300_000)
    limits = {"127.0.0.1": Limit("127.0.0.1", (Rate(3600, 1),), concurrency=1)}
    async with ScriptedOrigin(handler) as origin, engine_bench(hosts=limits) as bench:
        tasks = await asking(bench, origin, 50)
        handler.go.set()
        wholes = await asyncio.gather(*tasks)
        after = await bench.ask(origin.url + "/a")

    assert {whole.body for whole in wholes} == {b"x" * 300_000}
    assert words(wholes) == ["collapsed"] * 49 + ["miss"]
    assert len(origin.log) == 1
    assert len(bench.events.of(Permitted)) == 1
    assert after.call.cache == "hit"
    followers = [whole for whole in wholes if whole.call.cache == "collapsed"]
    assert {whole.get("cache-status") for whole in followers} == {"Sluicegate; fwd=uri-miss; collapsed"}
    assert {whole.get("age") for whole in followers} == {"0"}
    [leader] = [whole for whole in wholes if whole.call.cache == "miss"]
    assert leader.get("cache-status") == "Sluicegate; fwd=uri-miss; fwd-status=200; stored"
    told = [event for event in bench.events.of(CacheDecided) if event.outcome == "collapsed"]
    assert (len(told), {event.reason for event in told}) == (49, {"uri-miss"})
    assert bench.gate.in_flight == 0


async def test_rfc9111_4_2_3_a_shared_response_is_as_old_as_it_was_when_it_came():
    clock = ManualClock()
    handler = gated(fields=[*FRESH, ("Age", "7")])
    async with ScriptedOrigin(handler) as origin, engine_bench(clock=clock) as bench:
        tasks = await asking(bench, origin, 2)
        handler.go.set()
        wholes = await asyncio.gather(*tasks)

    assert [whole.get("age") for whole in wholes] == ["7", "7"]


async def test_collapsing_can_be_switched_off():
    handler = gated()
    async with ScriptedOrigin(handler) as origin, engine_bench() as bench:
        bench.flights.configure(collapse=False)
        tasks = await asking(bench, origin, 3, waiting=0)
        await origin.until(lambda server: len(server.log) == 3)
        handler.go.set()
        wholes = await asyncio.gather(*tasks)

    assert words(wholes) == ["miss"] * 3


async def test_one_that_comes_in_the_middle_of_the_body_gets_all_of_it():
    more = asyncio.Event()

    async def slow(peer):
        while await peer.request() is not None:
            peer.send(HEAD % 8 + b"half")
            await more.wait()
            peer.send(b"rest")
            await peer.drain()

    async with ScriptedOrigin(slow) as origin, engine_bench() as bench:
        first = await bench.engine.handle(bench.call(origin.url + "/a"), None)
        assert await first.body.read() == b"half"
        second = await bench.engine.handle(bench.call(origin.url + "/a"), None)
        assert (await second.body.read(), second.body.length) == (b"half", 8)
        more.set()
        assert await second.body.read() == b"rest"
        third = await bench.ask(origin.url + "/a")
        assert (await first.body.read(), third.call.cache) == (b"rest", "hit")
        await first.body.aclose()
        await second.body.aclose()

    assert len(origin.log) == 1


async def test_when_the_leader_leaves_before_there_is_an_answer_another_takes_its_place():
    handler = gated()
    async with ScriptedOrigin(handler) as origin, engine_bench() as bench:
        leader, *tasks = await asking(bench, origin, 4)
        await cancel(leader)
        await origin.until(lambda server: len(server.log) == 2)
        handler.go.set()
        wholes = await asyncio.gather(*tasks)

    assert words(wholes) == ["collapsed", "collapsed", "miss"]
    assert {whole.body for whole in wholes} == {b"hello"}
    assert bench.flights.waiting == 0


async def test_a_client_that_is_found_gone_when_it_is_told_of_early_hints_does_not_fail_the_others():
    go = asyncio.Event()

    async def with_hints(peer):
        await peer.request()
        await go.wait()
        peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" + response(body=b"hello", fields=FRESH))
        await peer.drain()

    async def gone(_head):
        raise ClientGone("gone")

    async with ScriptedOrigin(with_hints) as origin, engine_bench() as bench:
        leader = spawn(bench.engine.handle(bench.call(origin.url + "/a"), gone), name="leader")
        tasks = await asking(bench, origin, 2, waiting=2)
        go.set()
        with pytest.raises(ClientGone):
            await leader
        wholes = await asyncio.gather(*tasks)

    assert [whole.body for whole in wholes] == [b"hello"] * 2


async def test_followers_that_leave_leave_nothing_behind():
    handler = gated()
    async with ScriptedOrigin(handler) as origin, engine_bench() as bench:
        leader, *tasks = await asking(bench, origin, 4)
        for task in tasks:
            await cancel(task)
        assert bench.flights.waiting == 0
        handler.go.set()
        whole = await leader

    assert whole.body == b"hello"
    assert len(origin.log) == 1


@pytest.mark.parametrize("with_follower", [True, False])
async def test_a_leader_that_leaves_in_the_middle_does_not_end_what_others_or_the_store_want(with_follower):
    more = asyncio.Event()

    async def slow(peer):
        while await peer.request() is not None:
            peer.send(HEAD % 8 + b"half")
            await more.wait()
            peer.send(b"rest")
            await peer.drain()

    async with ScriptedOrigin(slow) as origin, engine_bench() as bench:
        leader = await bench.engine.handle(bench.call(origin.url + "/a"), None)
        assert await leader.body.read() == b"half"
        task = spawn(bench.ask(origin.url + "/a"), name="follower") if with_follower else None
        while with_follower and not bench.events.of(CacheDecided)[1:]:
            await asyncio.sleep(0)
        await leader.body.aclose()
        more.set()
        if task is not None:
            assert (await task).body == b"halfrest"
        while bench.flights.abandoned.count:
            await asyncio.sleep(0)
        after = await bench.ask(origin.url + "/a")

    assert (after.body, after.call.cache) == (b"halfrest", "hit")
    assert len(origin.log) == 1
    assert bench.gate.in_flight == 0


async def test_one_that_asks_while_an_abandoned_response_is_finished_spends_no_second_permit():
    more = asyncio.Event()

    async def slow(peer):
        while await peer.request() is not None:
            peer.send(HEAD % 8 + b"half")
            await more.wait()
            peer.send(b"rest")
            await peer.drain()

    limits = {"127.0.0.1": Limit("127.0.0.1", (Rate(3600, 1),))}
    async with ScriptedOrigin(slow) as origin, engine_bench(hosts=limits) as bench:
        leader = await bench.engine.handle(bench.call(origin.url + "/a"), None)
        await leader.body.aclose()
        task = spawn(bench.ask(origin.url + "/a"), name="next")
        while len(bench.events.of(CacheDecided)) < 2:
            await asyncio.sleep(0)
        more.set()
        whole = await task

    assert (whole.body, whole.call.cache) == (b"halfrest", "collapsed")


async def test_when_the_origin_breaks_off_every_reader_knows_and_nothing_is_stored():
    breaks = asyncio.Event()

    async def first_breaks(peer):
        while await peer.request() is not None:
            if len(peer.server.log) > 1:
                peer.send(response(body=b"whole", fields=FRESH))
                continue
            peer.send(HEAD % 100 + b"half")
            await breaks.wait()
            return

    async with ScriptedOrigin(first_breaks) as origin, engine_bench() as bench:
        tasks = [spawn(bench.ask(origin.url + "/a"), name="client") for _ in range(5)]
        while len(bench.events.of(CacheDecided)) < 5:
            await asyncio.sleep(0)
        breaks.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        after = await bench.ask(origin.url + "/a")

    assert [type(result) for result in results] == [ResponseCutShort] * 5
    assert (after.body, after.call.cache) == (b"whole", "miss")
    assert bench.gate.in_flight == 0


async def test_an_error_before_the_answer_is_everybodys():
    breaks = asyncio.Event()

    async def broken(peer):
        await peer.request()
        await breaks.wait()

    async with ScriptedOrigin(broken) as origin, engine_bench() as bench:
        tasks = await asking(bench, origin, 5)
        breaks.set()
        wholes = await asyncio.gather(*tasks)

    assert [(whole.status, whole.call.cache) for whole in wholes] == [(502, "none")] * 5
    assert len(origin.log) == 1


async def test_a_refusal_of_the_limiter_is_everybodys():
    handler = gated()
    limits = {"127.0.0.1": Limit("127.0.0.1", concurrency=1, max_wait_s=10)}
    clock = ManualClock()
    async with ScriptedOrigin(handler) as origin, engine_bench(hosts=limits, clock=clock) as bench:
        [blocking] = await asking(bench, origin, 1, "/blocking")
        tasks = [spawn(bench.ask(origin.url + "/a"), name="client") for _ in range(5)]
        while bench.flights.waiting < 4:
            await asyncio.sleep(0)
        await clock.advance(11)
        wholes = await asyncio.gather(*tasks)
        handler.go.set()
        await blocking
        after = await bench.ask(origin.url + "/a")

    assert [whole.status for whole in wholes] == [429] * 5
    assert all(whole.get("retry-after") for whole in wholes)
    assert after.status == 200


@pytest.mark.parametrize(
    "fields",
    [
        [("Cache-Control", "no-store")],
        [("Cache-Control", "private, max-age=60")],
        [("Cache-Control", "max-age=0"), ("ETag", '"v1"')],
        [("Cache-Control", "no-cache"), ("ETag", '"v1"')],
    ],
)
async def test_what_is_not_for_others_is_asked_for_in_parallel_and_the_next_burst_does_not_wait(fields):
    handler = gated(fields=fields)
    async with ScriptedOrigin(handler) as origin, engine_bench() as bench:
        tasks = await asking(bench, origin, 5)
        handler.go.set()
        await tasks[0]
        handler.go.clear()
        await origin.until(lambda server: len(server.log) == 5)
        handler.go.set()
        wholes = await asyncio.gather(*tasks)
        handler.go.clear()
        burst = await asking(bench, origin, 5, waiting=0)
        await origin.until(lambda server: len(server.log) == 10)
        handler.go.set()
        await asyncio.gather(*burst)

    assert words(wholes) == ["miss"] * 5


async def test_rfc9111_4_1_each_variant_is_asked_for_once():
    def by_language(seen):
        language = seen.get("accept-language")
        return response(body=language.encode(), fields=[*FRESH, ("Vary", "Accept-Language")])

    handler = Gated(by_language)
    async with ScriptedOrigin(handler) as origin, engine_bench() as bench:
        tasks = await asking(bench, origin, 3, fields=[(b"Accept-Language", b"de")])
        for language in (b"en", b"fr"):
            others = [
                spawn(bench.ask(origin.url + "/a", fields=[(b"Accept-Language", language)]), name="client")
                for _ in range(3)
            ]
            tasks += others
        while bench.flights.waiting < 8:
            await asyncio.sleep(0)
        handler.go.set()
        wholes = await asyncio.gather(*tasks)

    assert [whole.body for whole in wholes] == [b"de"] * 3 + [b"en"] * 3 + [b"fr"] * 3
    assert sorted(seen.get("accept-language") for seen in origin.log) == ["de", "en", "fr"]


async def test_rfc9111_3_5_an_authorized_answer_is_shared_only_if_it_says_so():
    def by_path(seen):
        public = seen.target == "/public"
        return response(body=b"x", fields=[("Cache-Control", "public, max-age=60" if public else "max-age=60")])

    handler = Gated(by_path)
    authorized = {"fields": [(b"Authorization", b"Basic x")]}
    async with ScriptedOrigin(handler) as origin, engine_bench() as bench:
        tasks = await asking(bench, origin, 3, "/public", **authorized)
        tasks += await asking(bench, origin, 3, "/own", **authorized)
        handler.go.set()
        await asyncio.gather(*tasks)

    assert [seen.target for seen in origin.log].count("/public") == 1
    assert [seen.target for seen in origin.log].count("/own") == 3


async def test_an_answer_to_an_authorized_request_does_not_keep_others_from_sharing():
    handler = gated(fields=[("Cache-Control", "max-age=60")])
    async with ScriptedOrigin(handler) as origin, engine_bench() as bench:
        authorized = await asking(bench, origin, 2, fields=[(b"Authorization", b"Basic x")])
        others = [spawn(bench.ask(origin.url + "/a"), name="client") for _ in range(3)]
        while bench.flights.waiting < 3:
            await asyncio.sleep(0)
        handler.go.set()
        wholes = await asyncio.gather(*others)
        await asyncio.gather(*authorized)

    assert words(wholes) == ["collapsed", "collapsed", "miss"]


async def test_one_304_serves_all_who_waited():
    def reply(seen):
        if seen.get("if-none-match") == '"v1"':
            return response(304, fields=FRESH, reason="Not Modified")
        return response(body=b"hello", fields=FRESH)

    clock = ManualClock()
    handler = Gated(reply)
    handler.go.set()
    async with ScriptedOrigin(handler) as origin, engine_bench(clock=clock) as bench:
        await bench.ask(origin.url + "/a")
        await clock.advance(120)
        handler.go.clear()
        tasks = await asking(bench, origin, 5)
        handler.go.set()
        wholes = await asyncio.gather(*tasks)

    assert words(wholes) == ["collapsed"] * 4 + ["revalidated"]
    assert {whole.body for whole in wholes} == {b"hello"}
    assert [seen.get("if-none-match") for seen in origin.log] == [None, '"v1"']
    assert wholes[1].get("cache-status") == "Sluicegate; fwd=stale; collapsed"


async def test_a_304_that_makes_nothing_fresh_is_everybodys_own():
    fields = [("Cache-Control", "max-age=0"), ("ETag", '"v1"')]

    def reply(seen):
        if seen.get("if-none-match") == '"v1"':
            return response(304, fields=fields, reason="Not Modified")
        return response(body=b"hello", fields=fields)

    handler = Gated(reply)
    handler.go.set()
    async with ScriptedOrigin(handler) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a")
        handler.go.clear()
        tasks = await asking(bench, origin, 3)
        handler.go.set()
        wholes = await asyncio.gather(*tasks)
        handler.go.clear()
        burst = await asking(bench, origin, 3, waiting=0)
        await origin.until(lambda server: len(server.log) == 7)
        handler.go.set()
        wholes += await asyncio.gather(*burst)

    assert words(wholes) == ["revalidated"] * 6
    assert {whole.body for whole in wholes} == {b"hello"}


async def test_a_follower_that_has_the_response_already_is_told_so():
    clock = ManualClock()
    handler = gated()
    handler.go.set()
    async with ScriptedOrigin(handler) as origin, engine_bench(clock=clock) as bench:
        await bench.ask(origin.url + "/a")
        await clock.advance(120)
        handler.go.clear()
        tasks = await asking(bench, origin, 2, fields=[(b"If-None-Match", b'"v1"')])
        handler.go.set()
        wholes = await asyncio.gather(*tasks)

    assert sorted((whole.call.cache, whole.status, whole.body) for whole in wholes) == [
        ("collapsed", 304, b""),
        ("miss", 200, b"hello"),
    ]


async def test_a_response_that_no_store_takes_is_not_shared(monkeypatch):
    monkeypatch.setattr(MemoryCacheStore, "begin", lambda *_: None)
    handler = gated()
    async with ScriptedOrigin(handler) as origin, engine_bench() as bench:
        tasks = await asking(bench, origin, 3)
        handler.go.set()
        wholes = await asyncio.gather(*tasks)

    assert {whole.body for whole in wholes} == {b"hello"}
    assert words(wholes) == ["miss"] * 3
    assert len(origin.log) == 3


async def test_rfc9111_4_4_after_a_successful_post_nobody_gets_what_was_on_its_way_before():
    more = asyncio.Event()

    async def changing(peer):
        while (seen := await peer.request()) is not None:
            if seen.method == "POST" or len(peer.server.log) > 2:
                peer.send(response(body=b"new", fields=FRESH))
                continue
            peer.send(HEAD % 6 + b"old")
            await more.wait()
            peer.send(b"old")

    async with ScriptedOrigin(changing) as origin, engine_bench() as bench:
        before = await bench.engine.handle(bench.call(origin.url + "/a"), None)
        await bench.ask(origin.url + "/a", method="POST")
        after = await bench.ask(origin.url + "/a")
        more.set()
        old = [await before.body.read(), await before.body.read()]
        await before.body.aclose()
        last = await bench.ask(origin.url + "/a")

    assert (after.body, after.call.cache, old) == (b"new", "miss", [b"old", b"old"])
    assert (last.body, last.call.cache) == (b"new", "hit")


async def test_a_request_with_a_body_is_nobodys_but_its_own():
    handler = gated()
    async with ScriptedOrigin(handler) as origin, engine_bench() as bench:
        tasks = [spawn(bench.ask(origin.url + "/a", body=BytesBody(b"q")), name="client") for _ in range(2)]
        await origin.until(lambda server: len(server.log) == 2)
        handler.go.set()
        wholes = await asyncio.gather(*tasks)

    assert words(wholes) == ["bypass"] * 2


async def test_every_writer_is_let_go_of_when_its_answer_is_not_for_those_who_waited(monkeypatch):
    begun, closed = [], []
    begin = MemoryCacheStore.begin

    class Watched:
        def __init__(self, writer):
            self.writer = writer

        def __getattr__(self, name):
            return getattr(self.writer, name)

        async def aclose(self):
            closed.append(self)
            await self.writer.aclose()

    def watched(*what):
        begun.append(Watched(begin(*what)))
        return begun[-1]

    monkeypatch.setattr(MemoryCacheStore, "begin", watched)
    handler = gated(fields=[("Cache-Control", "max-age=0"), ("ETag", '"v1"')])
    async with ScriptedOrigin(handler) as origin, engine_bench() as bench:
        tasks = await asking(bench, origin, 3)
        handler.go.set()
        await asyncio.gather(*tasks)

    assert len(begun) == 3
    assert set(map(id, begun)) == set(map(id, closed))


async def test_sharing_leaves_no_circles_for_the_garbage_collector():
    handler = gated()
    handler.go.set()
    async with ScriptedOrigin(handler) as origin, engine_bench() as bench:
        await asyncio.gather(*(bench.ask(origin.url + "/first") for _ in range(3)))
        gc.collect()
        gc.disable()
        try:
            for number in range(50):
                await asyncio.gather(*(bench.ask(f"{origin.url}/{number}") for _ in range(3)))
            unreachable = gc.collect()
        finally:
            gc.enable()

    assert len(origin.log) == 51
    assert unreachable < 50, "not one object a request"
