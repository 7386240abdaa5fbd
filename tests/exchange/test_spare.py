"""Something stale in hand, through the whole engine: an origin that fails, is silent or sends errors, a limit that refuses."""

import asyncio
import gc

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.caching.decisions import CacheOptions, StaleOptions
from sluicegate.core.events import CacheDecided, Notice, UpstreamFailed
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.tasks import begin, spawn
from support.engine import engine_bench
from support.origin import ScriptedOrigin, response

MAX_AGE = "max-age=10"
BEGINNING = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=10\r\nContent-Length: 20000000\r\n\r\nhalf"
"""Of an answer that holds its place at the gate until somebody lets go of it."""


class Site:
    """An origin whose next answers a test decides: `reply` bytes, or one of the words close, hang."""

    def __init__(self, control=MAX_AGE, body=b"hello", fields=()):
        self.first = response(body=body, fields=[("Cache-Control", control), ("ETag", '"v1"'), *fields])
        self.reply = self.first
        self.late = response(body=b"late", fields=[("Cache-Control", "max-age=100")])
        self.go = asyncio.Event()

    async def __call__(self, peer):
        while await peer.request() is not None:
            if self.reply == "close":
                return
            if self.reply == "hang":
                await self.go.wait()
                peer.send(self.late)
            else:
                peer.send(self.reply)
            await peer.drain()


def error(status):
    return response(status, body=b"oops", reason="Bad")


async def stale_after(bench, clock, url, site, reply, *, seconds=40.0, fields=None):
    """The first answer is stored, grows old, and then the origin does what `reply` says."""
    first = await bench.ask(url, fields=fields)
    assert first.body == b"hello"
    await clock.advance(seconds)
    site.reply = reply


def when_decided(bench, act):
    """Call `act` in the very moment that the next decision of the cache is told; what it returned comes into the list."""
    emit, returned = bench.events.emit, []

    def emit_and_act(event):
        emit(event)
        if isinstance(event, CacheDecided) and not returned:
            returned.append(act())

    bench.events.emit = emit_and_act
    return returned


async def advance_until_done(clock, task, step=1.0, most=120):
    """Let the clock run for a task that also waits for real sockets; the seconds it took."""
    for passed in range(most):
        for _ in range(20):
            await asyncio.sleep(0.001)
            if task.done():
                return passed * step
        await clock.advance(step)
    raise AssertionError("it never ended")


async def test_rfc9111_4_2_4_an_origin_that_closes_without_an_answer_leaves_the_stored_one():
    clock, site = ManualClock(), Site()
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, "close")
        whole = await bench.ask(origin.url + "/a")

    assert (whole.status, whole.body, whole.call.cache, whole.call.error) == (200, b"hello", "stale", "")
    assert whole.get("age") == "40"
    assert whole.get("cache-status") == "Sluicegate; fwd=stale; ttl=-30; detail=stale-unreachable"
    assert bench.events.of(CacheDecided)[-1].section == "RFC 9111 §4.2.4"
    assert bench.events.of(UpstreamFailed)
    assert bench.gate.in_flight == 0


async def test_an_origin_that_is_gone_leaves_the_stored_one():
    clock, site = ManualClock(), Site()
    async with engine_bench(clock=clock) as bench:
        async with ScriptedOrigin(site) as origin:
            await stale_after(bench, clock, origin.url + "/a", site, None)
        whole = await bench.ask(origin.url + "/a")

    assert (whole.status, whole.body, whole.call.cache) == (200, b"hello", "stale")


@pytest.mark.parametrize("control", ["must-revalidate", "proxy-revalidate", "s-maxage=10", "no-cache"])
async def test_what_must_not_be_used_stale_is_not(control):
    clock, site = ManualClock(), Site(f"max-age=10, {control}, stale-if-error=600, stale-while-revalidate=600")
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, "close")
        whole = await bench.ask(origin.url + "/a")

    assert (whole.status, whole.call.error) == (502, "http_response_incomplete")


async def test_it_is_bounded_and_can_be_switched_off():
    statuses = []
    for longest in (31.0, 30.0, 0.0):
        clock, site = ManualClock(), Site()
        options = CacheOptions(stale=StaleOptions(unreachable_s=longest))
        async with ScriptedOrigin(site) as origin, engine_bench(clock=clock, options=options) as bench:
            await stale_after(bench, clock, origin.url + "/a", site, "close")
            statuses.append((await bench.ask(origin.url + "/a")).status)

    assert statuses == [200, 502, 502]


@pytest.mark.parametrize(
    ("said", "status"), [("max-age=0", 200), ("min-fresh=5", 200), ("no-cache", 502), ("stale-if-error=5", 502)]
)
async def test_what_the_client_prefers_and_what_it_insists_on(said, status):
    clock, site = ManualClock(), Site()
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, "close")
        whole = await bench.ask(origin.url + "/a", fields=[(b"Cache-Control", said.encode())])

    assert whole.status == status


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_rfc5861_4_an_error_is_kept_from_the_client(status):
    clock, site = ManualClock(), Site("max-age=10, stale-if-error=60")
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, error(status))
        whole = await bench.ask(origin.url + "/a")
        await clock.advance(30)
        over = await bench.ask(origin.url + "/a")

    assert (whole.status, whole.body, whole.call.cache) == (200, b"hello", "stale")
    told = f"Sluicegate; fwd=stale; fwd-status={status}; ttl=-30; detail=stale-if-error"
    assert whole.get("cache-status") == told
    assert (over.status, over.body) == (status, b"oops")
    assert bench.gate.in_flight == 0


async def test_rfc5861_4_the_client_may_allow_it_too():
    clock, site = ManualClock(), Site()
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, error(503))
        refused = await bench.ask(origin.url + "/a")
        allowed = await bench.ask(origin.url + "/a", fields=[(b"Cache-Control", b"stale-if-error=60")])

    assert (refused.status, allowed.status) == (503, 200)


async def test_an_error_that_could_be_stored_does_not_take_the_place_of_what_is():
    clock, site = ManualClock(), Site("max-age=10, stale-if-error=60")
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        cacheable = response(503, body=b"oops", fields=[("Cache-Control", "max-age=60")], reason="Bad")
        await stale_after(bench, clock, origin.url + "/a", site, cacheable)
        wholes = [await bench.ask(origin.url + "/a") for _ in range(2)]

    assert [whole.body for whole in wholes] == [b"hello"] * 2


@pytest.mark.parametrize(
    ("method", "field", "status", "body"),
    [
        ("HEAD", None, 200, b""),
        ("GET", (b"If-None-Match", b'"v1"'), 304, b""),
        ("GET", (b"Range", b"bytes=1-2"), 206, b"el"),
        ("GET", (b"Range", b"bytes=9-"), 416, b""),
    ],
)
async def test_a_stale_answer_is_made_like_any_hit(method, field, status, body):
    clock, site = ManualClock(), Site()
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, "close")
        whole = await bench.ask(origin.url + "/a", method=method, fields=[field] if field else None)

    assert (whole.status, whole.body, whole.call.cache) == (status, body, "stale")


async def test_only_the_variant_that_the_request_selects_is_used():
    clock, site = ManualClock(), Site(fields=[("Vary", "X-Kind")])
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, "close", fields=[(b"X-Kind", b"one")])
        same = await bench.ask(origin.url + "/a", fields=[(b"X-Kind", b"one")])
        other = await bench.ask(origin.url + "/a", fields=[(b"X-Kind", b"two")])

    assert (same.status, other.status) == (200, 502)


async def test_all_who_wait_for_the_same_get_it():
    clock, site = ManualClock(), Site("max-age=10, stale-if-error=60")
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, error(503))
        asking = [spawn(bench.ask(origin.url + "/a"), name="client") for _ in range(5)]
        wholes = await asyncio.gather(*asking)

    assert [(whole.status, whole.call.cache) for whole in wholes] == [(200, "stale")] * 5
    assert len(origin.log) == 2


async def test_errors_leave_no_circles_for_the_garbage_collector():
    clock, site = ManualClock(), Site("max-age=10, stale-if-error=60")
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        urls = [f"{origin.url}/{number}" for number in range(50)]
        for url in urls:
            await bench.ask(url)
        await clock.advance(40)
        site.reply = error(503)
        gc.collect()
        gc.disable()
        try:
            for url in urls:
                assert (await bench.ask(url)).call.cache == "stale"
            unreachable = gc.collect()
        finally:
            gc.enable()

    assert unreachable < 50, "not one object a request"


async def test_who_waits_for_the_same_and_wants_nothing_stale_gets_the_origins_error():
    clock, site = ManualClock(), Site("max-age=10, stale-if-error=60")
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, error(503))
        strict = [(b"Cache-Control", b"stale-if-error=0")]
        asking = [spawn(bench.ask(origin.url + "/a", fields=fields), name="client") for fields in ([], strict)]
        wholes = await asyncio.gather(*asking)

    assert [(whole.status, whole.body) for whole in wholes] == [(200, b"hello"), (503, b"oops")]
    assert bench.gate.in_flight == 0


async def test_a_limit_that_refuses_leaves_the_stored_one():
    clock, site = ManualClock(), Site()
    limits = {"127.0.0.1": Limit("127.0.0.1", (Rate(3600, 1),))}
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock, hosts=limits) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, site.first)
        whole = await bench.ask(origin.url + "/a")
        other = await bench.ask(origin.url + "/b")

    assert (whole.status, whole.call.cache) == (200, "stale")
    assert whole.get("cache-status") == "Sluicegate; hit; ttl=-30; detail=stale-limited"
    assert other.status == 429


async def test_a_silent_origin_is_waited_for_in_the_background_after_a_while():
    clock, site = ManualClock(), Site()
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, "hang")
        asking = spawn(bench.ask(origin.url + "/a"), name="client")
        took = await advance_until_done(clock, asking)
        whole = asking.result()
        assert (bench.flights.background.count, bench.gate.in_flight) == (1, 1)
        site.go.set()
        async with asyncio.timeout(10):
            while bench.flights.background.count:
                await asyncio.sleep(0.001)
        after = await bench.ask(origin.url + "/a")

    assert 10 <= took <= 11
    assert (whole.status, whole.body, whole.call.cache) == (200, b"hello", "stale")
    assert whole.get("cache-status").endswith("detail=stale-slow")
    assert (after.body, after.call.cache) == (b"late", "hit")
    assert "refreshed" in [notice.event for notice in bench.events.of(Notice)]
    assert len(origin.log) == 2


async def test_who_waits_for_a_slot_that_a_silent_origin_holds_gets_the_stored_one_too():
    clock, site = ManualClock(), Site()
    limits = {"127.0.0.1": Limit("127.0.0.1", (), concurrency=1)}
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock, hosts=limits) as bench:
        await bench.ask(origin.url + "/b")
        await stale_after(bench, clock, origin.url + "/a", site, "hang")
        asking = [spawn(bench.ask(origin.url + path), name="client") for path in ("/a", "/b")]
        took = await advance_until_done(clock, asyncio.gather(*asking))
        site.go.set()

    assert took <= 14
    assert [task.result().call.cache for task in asking] == ["stale", "stale"]


async def test_the_limiters_queue_is_not_the_origins_fault():
    clock, site = ManualClock(), Site()
    limits = {"127.0.0.1": Limit("127.0.0.1", (Rate(80, 2),), max_wait_s=60)}
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock, hosts=limits) as bench:
        await bench.ask(origin.url + "/b")
        await stale_after(bench, clock, origin.url + "/a", site, site.first)
        asking = spawn(bench.ask(origin.url + "/a"), name="client")
        took = await advance_until_done(clock, asking)

    assert 39 <= took <= 42
    assert asking.result().call.cache == "miss"


async def test_a_wait_that_is_too_long_is_not_begun_if_that_is_configured():
    clock, site = ManualClock(), Site()
    limits = {"127.0.0.1": Limit("127.0.0.1", (Rate(80, 2),), max_wait_s=60)}
    options = CacheOptions(stale=StaleOptions(queue_s=5.0))
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock, hosts=limits, options=options) as bench:
        await bench.ask(origin.url + "/b")
        await stale_after(bench, clock, origin.url + "/a", site, site.first)
        whole = await bench.ask(origin.url + "/a")
        refreshing = bench.flights.background.count
        for _ in range(50):
            await clock.advance(1)
        async with asyncio.timeout(10):
            while bench.flights.background.count:
                await asyncio.sleep(0.001)
        after = await bench.ask(origin.url + "/a")

    assert (whole.call.cache, refreshing) == ("stale", 1)
    assert whole.get("cache-status") == "Sluicegate; hit; ttl=-30; detail=stale-queue"
    assert after.call.cache == "hit"


async def test_a_client_that_leaves_leaves_nothing_behind():
    clock, site = ManualClock(), Site()
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, "hang")
        asking = spawn(bench.ask(origin.url + "/a"), name="client")
        await origin.until(lambda server: len(server.log) == 2)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

        assert (bench.gate.in_flight, bench.flights.background.count) == (0, 0)


async def test_a_client_that_leaves_in_the_moment_that_the_answer_comes_leaves_nothing_behind():
    clock, site = ManualClock(), Site()
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, BEGINNING)
        asking = spawn(bench.ask(origin.url + "/a"), name="client")
        when_decided(bench, asking.cancel)
        await asyncio.gather(asking, return_exceptions=True)

        assert asking.cancelled()
        assert bench.gate.in_flight == 0


async def test_a_shutdown_right_after_the_stored_answer_leaves_nothing_behind():
    clock, site = ManualClock(), Site()
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, "hang")
        asking = spawn(bench.ask(origin.url + "/a"), name="client")
        closing = when_decided(bench, lambda: begin(bench.flights.background.aclose()))
        await advance_until_done(clock, asking)
        await closing[0]

        assert asking.result().call.cache == "stale"
        assert bench.gate.in_flight == 0


async def test_a_shutdown_in_the_moment_that_the_late_answer_comes_leaves_nothing_behind():
    clock, site = ManualClock(), Site()
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, "hang")
        asking = spawn(bench.ask(origin.url + "/a"), name="client")
        await advance_until_done(clock, asking)
        site.late = BEGINNING
        closing = when_decided(bench, lambda: begin(bench.flights.background.aclose()))
        site.go.set()
        async with asyncio.timeout(10):
            while not closing:
                await asyncio.sleep(0.001)
        await closing[0]

        assert bench.gate.in_flight == 0


async def test_what_is_invalidated_while_it_is_waited_for_does_not_come_back():
    clock, site = ManualClock(), Site()
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock) as bench:
        await stale_after(bench, clock, origin.url + "/a", site, "hang")
        asking = spawn(bench.ask(origin.url + "/a", fields=[(b"Cache-Control", b"max-age=0")]), name="client")
        await advance_until_done(clock, asking)
        site.reply = site.first
        await bench.ask(origin.url + "/a", method="POST")
        site.go.set()
        async with asyncio.timeout(10):
            while bench.flights.background.count:
                await asyncio.sleep(0.001)
        after = await bench.ask(origin.url + "/a")

    assert asking.result().call.cache == "stale"
    assert (after.body, after.call.cache) == (b"hello", "miss")
