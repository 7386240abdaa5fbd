"""Misses that wait for nothing, with real connections below."""

import asyncio

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.core.events import CacheDecided, Permitted, UpstreamAnswered, UpstreamFailed
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.exchange import misses
from sluicegate.exchange.misses import Misses
from sluicegate.upstream.settings import UpstreamPoolSettings
from support.cache_stores import until
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response, script

PASSED_ON = answer(response(body=b"hello", fields=[("Cache-Control", "no-store"), ("X-A", "b")]))
STORED = answer(response(body=b"hello", fields=[("Cache-Control", "max-age=60")]))
WARM = response(body=b"warm", fields=[("Cache-Control", "no-store")])


def limited(**values):
    return {"127.0.0.1": Limit("127.0.0.1", **values)}


def plain_call(bench, url):
    call = bench.call(url)
    call.plain = True
    return call


def begin(bench, call):
    """What has begun, and a future of what it is told."""
    told = asyncio.get_running_loop().create_future()
    return bench.engine.begin(call, told.set_result), told


async def warmed(bench, origin):
    """Leave an idle connection behind."""
    await bench.ask(origin.url + "/warm")
    bench.events.events.clear()


async def gone_on(bench, call, begun, interim=None):
    """What the long way makes of what has begun: status and body."""

    async def on_interim(head):
        interim.append(head.status)

    told = await bench.engine.handle(call, on_interim, begun)
    pieces = []
    try:
        while piece := await told.body.read():
            pieces.append(piece)
    finally:
        await told.body.aclose()
    return told.head.status, b"".join(pieces)


def after_warming(handle):
    """A connection that answers one request, and is then given to `handle`."""

    async def serve(peer):
        await peer.request()
        peer.send(WARM)
        await peer.drain()
        await handle(peer)

    return serve


async def test_it_is_sent_in_the_call_and_told_as_the_long_way_tells_it():
    async with ScriptedOrigin(PASSED_ON) as origin, engine_bench() as bench:
        await warmed(bench, origin)
        call = plain_call(bench, origin.url + "/a")
        begun, told = begin(bench, call)
        assert begun is not None
        assert bench.gate.in_flight == 1
        told = await told
        assert bench.gate.in_flight == 0
        at_once = list(map(type, bench.events.events))
        bench.events.events.clear()
        whole = await bench.ask(origin.url + "/a")

    assert (told.head.status, told.head.fields) == (whole.status, whole.fields)
    assert await told.body.read() == b"hello"
    assert (call.cache, call.limit_key, call.error) == (whole.call.cache, whole.call.limit_key, "")
    assert at_once == list(map(type, bench.events.events)) == [UpstreamAnswered, CacheDecided]
    assert origin.accepted == 1


async def test_without_an_idle_connection_nothing_happens():
    async with ScriptedOrigin(PASSED_ON) as origin, engine_bench(hosts=limited(rates=(Rate(60, 5),))) as bench:
        begun, _ = begin(bench, plain_call(bench, origin.url + "/a"))

        assert begun is None
        assert bench.gate.in_flight == 0
        assert bench.gate.snapshot() == []
        assert bench.events.events == []


async def test_without_a_free_slot_nothing_happens():
    async def silent(peer):
        await peer.head()
        await peer.gone()

    limits = limited(concurrency=1)
    async with ScriptedOrigin(script(after_warming(silent), PASSED_ON)) as origin, engine_bench(hosts=limits) as bench:
        await warmed(bench, origin)
        first, _ = begin(bench, plain_call(bench, origin.url + "/a"))
        second, _ = begin(bench, plain_call(bench, origin.url + "/b"))
        assert first is not None
        assert second is None
        assert [(status.queue, status.in_flight) for status in bench.gate.snapshot()] == [(0, 1)]
        first.abandon()

        assert bench.gate.snapshot() == []


async def test_permits_are_counted_and_without_one_nothing_is_sent():
    clock = ManualClock()
    limits = limited(rates=(Rate(60, 3),))
    async with ScriptedOrigin(PASSED_ON) as origin, engine_bench(hosts=limits, clock=clock) as bench:
        await warmed(bench, origin)
        begun = []
        for number in range(4):
            one, told = begin(bench, plain_call(bench, f"{origin.url}/{number}"))
            begun.append(one is not None)
            if one is not None:
                await told

        assert begun == [True, True, False, False]
        assert bench.gate.in_flight == 0
    assert len(origin.log) == 3
    assert len(bench.events.of(Permitted)) == 2


async def test_what_is_stored_is_not_for_it_and_what_may_be_is_stored():
    async with ScriptedOrigin(STORED) as origin, engine_bench() as bench:
        await warmed(bench, origin)
        call = plain_call(bench, origin.url + "/a")
        _, told = begin(bench, call)
        await told
        assert begin(bench, plain_call(bench, origin.url + "/a"))[0] is None
        again = await bench.ask(origin.url + "/a")

    assert bench.events.of(CacheDecided)[0].stored
    assert (again.call.cache, again.body) == ("hit", b"hello")
    assert [seen.target for seen in origin.log] == ["/warm", "/a"]


async def test_others_wait_for_it():
    release = asyncio.Event()

    async def later(peer):
        await peer.request()
        await release.wait()
        peer.send(response(body=b"hello", fields=[("Cache-Control", "max-age=60")]))
        await peer.drain()
        await peer.gone()

    async with ScriptedOrigin(script(after_warming(later), PASSED_ON)) as origin, engine_bench() as bench:
        await warmed(bench, origin)
        call = plain_call(bench, origin.url + "/a")
        begun, told = begin(bench, call)
        assert begin(bench, plain_call(bench, origin.url + "/a"))[0] is None
        following = asyncio.get_running_loop().create_task(bench.ask(origin.url + "/a"))
        await until(lambda: bench.flights.waiting == 1)
        release.set()
        assert await told is None  # a reader of the store's copy comes of it
        mine = await gone_on(bench, call, begun)
        followed = await following

    assert mine == (200, b"hello")
    assert (followed.call.cache, followed.body) == ("collapsed", b"hello")
    assert [seen.target for seen in origin.log] == ["/warm", "/a"]


async def test_a_response_that_is_not_there_whole_is_read_the_long_way():
    release = asyncio.Event()

    async def half(peer):
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 8\r\n\r\nhalf")
        await release.wait()
        peer.send(b"done")
        await peer.gone()

    async with ScriptedOrigin(after_warming(half)) as origin, engine_bench() as bench:
        await warmed(bench, origin)
        call = plain_call(bench, origin.url + "/a")
        begun, told = begin(bench, call)
        assert await told is None
        assert bench.gate.in_flight == 1
        release.set()
        assert await gone_on(bench, call, begun) == (200, b"halfdone")
        assert bench.gate.in_flight == 0

    assert len(bench.events.of(UpstreamAnswered)) == 1


async def test_an_interim_response_is_passed_on():
    async def hinting(peer):
        await peer.request()
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + WARM)
        await peer.gone()

    async with ScriptedOrigin(after_warming(hinting)) as origin, engine_bench() as bench:
        await warmed(bench, origin)
        call = plain_call(bench, origin.url + "/a")
        begun, told = begin(bench, call)
        assert await told is None
        interim = []

        assert await gone_on(bench, call, begun, interim) == (200, b"warm")
        assert interim == [103]


async def test_a_connection_that_dies_under_it_is_replaced_and_costs_another_permit():
    async def dies(peer):
        await peer.head()
        peer.reset()

    limits = limited(rates=(Rate(60, 10),))
    async with ScriptedOrigin(script(after_warming(dies), PASSED_ON)) as origin, engine_bench(hosts=limits) as bench:
        await warmed(bench, origin)
        call = plain_call(bench, origin.url + "/a")
        begun, told = begin(bench, call)
        assert await told is None
        assert await gone_on(bench, call, begun) == (200, b"hello")

        assert bench.gate.in_flight == 0
    assert len(origin.log) == 3
    assert len(bench.events.of(Permitted)) == 2


async def test_an_origin_that_says_nothing_is_given_up_in_time():
    async def silent(peer):
        await peer.head()
        await peer.gone()

    pool = UpstreamPoolSettings(first_byte_timeout_s=0.05)
    async with ScriptedOrigin(after_warming(silent)) as origin, engine_bench(pool=pool) as bench:
        await warmed(bench, origin)
        call = plain_call(bench, origin.url + "/a")
        begun, told = begin(bench, call)
        assert await told is None
        status, _ = await gone_on(bench, call, begun)

        assert (status, call.error) == (504, "http_response_timeout")
        assert bench.gate.in_flight == 0
    assert len(bench.events.of(UpstreamFailed)) == 1


async def test_who_leaves_gives_back_what_was_held_and_the_first_that_waits_asks_anew():
    async def silent(peer):
        await peer.head()
        await peer.gone()

    async with ScriptedOrigin(script(after_warming(silent), STORED)) as origin, engine_bench() as bench:
        await warmed(bench, origin)
        begun, told = begin(bench, plain_call(bench, origin.url + "/a"))
        following = asyncio.get_running_loop().create_task(bench.ask(origin.url + "/a"))
        await until(lambda: bench.flights.waiting == 1)
        await origin.until(lambda server: len(server.log) == 2)
        begun.abandon()
        whole = await following

        assert not told.done()
        assert (whole.status, whole.body) == (200, b"hello")
        assert bench.gate.in_flight == 0
    assert [seen.target for seen in origin.log] == ["/warm", "/a", "/a"]


async def test_a_fault_of_ours_is_answered_as_one_and_nothing_stays_held(monkeypatch):
    async with ScriptedOrigin(PASSED_ON) as origin, engine_bench() as bench:
        await warmed(bench, origin)
        call = plain_call(bench, origin.url + "/a")
        begun, told = begin(bench, call)
        monkeypatch.setattr(misses, "tell", None)
        assert await told is None
        monkeypatch.undo()
        status, _ = await gone_on(bench, call, begun)

        assert status == 502
        assert bench.gate.in_flight == 0
        assert (await bench.ask(origin.url + "/a")).status == 200


async def test_a_fault_before_it_is_sent_leaves_it_to_the_long_way(monkeypatch):
    async with ScriptedOrigin(PASSED_ON) as origin, engine_bench() as bench:
        await warmed(bench, origin)
        monkeypatch.setattr(misses.policy, "plain_miss", None)

        assert begin(bench, plain_call(bench, origin.url + "/a"))[0] is None
        assert bench.gate.in_flight == 0


async def test_what_is_small_is_stored_in_the_call_that_brings_it(monkeypatch):
    monkeypatch.setattr(misses, "keep_whole", None)
    async with ScriptedOrigin(STORED) as origin, engine_bench() as bench:
        await warmed(bench, origin)
        call = plain_call(bench, origin.url + "/a")
        begun, told = begin(bench, call)
        status = (await told).head.fields[-1]

        assert status == (b"Cache-Status", b"Sluicegate; fwd=uri-miss; fwd-status=200; stored")
        assert begun.flight is not None
        assert bench.engine.misses.cached.flights.get(begun.flight.name) is None
        assert (await bench.ask(origin.url + "/a")).call.cache == "hit"


async def test_what_was_found_missing_just_now_is_not_looked_for_again(monkeypatch):
    async with ScriptedOrigin(PASSED_ON) as origin, engine_bench() as bench:
        await warmed(bench, origin)
        call = plain_call(bench, origin.url + "/a")
        call.nothing = bench.rules.resolve(call.request)
        monkeypatch.setattr(bench.store, "recall", None)
        _, told = begin(bench, call)

        assert (await told).head.status == 200


async def test_it_is_answered_when_it_is_stored_and_not_before(monkeypatch):
    room = asyncio.Event()
    keep_whole = misses.keep_whole

    async def slow(*arguments):
        await room.wait()
        await keep_whole(*arguments)

    monkeypatch.setattr(misses, "keep_whole", slow)
    async with ScriptedOrigin(STORED) as origin, engine_bench() as bench:
        monkeypatch.setattr(bench.store, "keep_now", lambda *_: False)
        await warmed(bench, origin)
        _, told = begin(bench, plain_call(bench, origin.url + "/a"))
        await origin.until(lambda server: len(server.log) == 2)
        await until(lambda: bench.gate.in_flight == 0)
        assert not told.done()
        room.set()

        assert (await told).head.status == 200
        assert (await bench.ask(origin.url + "/a")).call.cache == "hit"


@pytest.mark.parametrize("options", [CacheOptions(enabled=False), CacheOptions(offline=True)])
async def test_where_the_cache_is_not_asked_it_keeps_out(options):
    async with ScriptedOrigin(PASSED_ON) as origin, engine_bench() as bench:
        await warmed(bench, origin)
        bench.engine.misses.rules = RuleSet(options)

        assert begin(bench, plain_call(bench, origin.url + "/a"))[0] is None


async def test_only_plain_calls_are_for_it():
    async with ScriptedOrigin(PASSED_ON) as origin, engine_bench() as bench:
        await warmed(bench, origin)

        assert begin(bench, bench.call(origin.url + "/a"))[0] is None
        assert isinstance(bench.engine.misses, Misses)
