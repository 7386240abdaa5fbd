"""stale-while-revalidate through the whole engine: answered at once, validated in the background (RFC 5861 §3)."""

import asyncio
import contextlib

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.access import AccessPolicy
from sluicegate.core.events import CacheDecided, Notice, Permitted
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.exchange.hits import Hits
from sluicegate.tasks import spawn
from support.cache_stores import until
from support.engine import engine_bench
from support.origin import ScriptedOrigin, response

CONTROL = "max-age=10, stale-while-revalidate=60"


class Site:
    """An origin that validates its one page, or sends what a test gives it, once `go` is set."""

    def __init__(self, fields=()):
        self.page = response(body=b"hello", fields=[("Cache-Control", CONTROL), ("ETag", '"v1"'), *fields])
        self.validates = True
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, peer):
        while (seen := await peer.request()) is not None:
            if seen.method == "GET":
                await self.go.wait()
            if self.validates and seen.get("if-none-match") == '"v1"':
                fields = [("ETag", '"v1"'), ("Cache-Control", CONTROL)]
                peer.send(response(304, fields=fields, reason="Not Modified"))
            else:
                peer.send(self.page)
            await peer.drain()


@contextlib.asynccontextmanager
async def stale(seconds=30.0, fields=None, **options):
    """A page that was stored `seconds` ago: the bench, its clock, the origin, the site, the URL."""
    clock, site = ManualClock(), Site()
    async with ScriptedOrigin(site) as origin, engine_bench(clock=clock, **options) as bench:
        url = origin.url + "/a"
        assert (await bench.ask(url, fields=fields)).body == b"hello"
        await clock.advance(seconds)
        yield bench, clock, origin, site, url


async def idle(bench):
    """Wait until nothing is under way in the background."""
    await until(lambda: bench.flights.background.count == 0)


def told(bench):
    return [notice.event for notice in bench.events.of(Notice)]


async def test_it_is_answered_at_once_and_fresh_afterwards():
    async with stale() as (bench, _, origin, site, url):
        site.go.clear()
        whole = await bench.ask(url)
        site.go.set()
        await idle(bench)
        after = await bench.ask(url)

    assert (whole.status, whole.body, whole.call.cache, whole.get("age")) == (200, b"hello", "stale", "30")
    assert whole.get("cache-status") == "Sluicegate; hit; ttl=-20; detail=stale-while-revalidate"
    assert (after.call.cache, after.get("age")) == ("hit", "0")
    assert [seen.get("if-none-match") for seen in origin.log] == [None, '"v1"']
    assert told(bench) == ["refreshed"]


async def test_a_refresh_has_a_permit_a_request_id_and_a_decision_of_its_own():
    async with stale(hosts={"127.0.0.1": Limit("127.0.0.1", (Rate(1, 100),))}) as (bench, _, _, _, url):
        whole = await bench.ask(url)
        await idle(bench)

    first, second = bench.events.of(Permitted)
    assert second.request_id not in {first.request_id, whole.call.request_id}
    decided = [(event.outcome, event.reason) for event in bench.events.of(CacheDecided)]
    assert decided == [("miss", "storable"), ("stale", "stale-while-revalidate"), ("refresh", "validated")]


async def test_there_is_one_at_a_time():
    async with stale() as (bench, _, origin, site, url):
        site.go.clear()
        wholes = [await bench.ask(url) for _ in range(5)]
        await origin.until(lambda server: len(server.log) == 2)
        wholes += [await bench.ask(url) for _ in range(5)]
        site.go.set()
        await idle(bench)

        assert {whole.call.cache for whole in wholes} == {"stale"}
        assert len(origin.log) == 2


async def test_who_must_have_something_fresh_waits_for_the_refresh():
    async with stale() as (bench, _, origin, site, url):
        site.go.clear()
        await bench.ask(url)
        await origin.until(lambda server: len(server.log) == 2)
        asking = spawn(bench.ask(url, fields=[(b"Cache-Control", b"max-age=5")]), name="client")
        await until(lambda: bench.flights.waiting == 1)
        site.go.set()
        whole = await asking

        assert (whole.call.cache, whole.get("age")) == ("collapsed", "0")
        assert len(origin.log) == 2


async def test_a_new_version_takes_the_place_of_the_old():
    async with stale() as (bench, _, _, site, url):
        site.validates = False
        site.page = site.page.replace(b"hello", b"world")
        before = await bench.ask(url)
        await idle(bench)
        after = await bench.ask(url)

    assert (before.body, after.body, after.call.cache) == (b"hello", b"world", "hit")


async def test_a_failure_is_logged_and_the_stale_one_stays():
    async with stale() as (bench, clock, _, site, url):
        site.validates = False
        site.page = b"rubbish\r\n\r\n"
        first = await bench.ask(url)
        await idle(bench)
        again = await bench.ask(url)
        assert bench.flights.background.count == 0
        await clock.advance(1)
        later = await bench.ask(url)
        await idle(bench)

    assert [whole.call.cache for whole in (first, again, later)] == ["stale"] * 3
    assert told(bench) == ["refresh_failed"] * 2
    assert bench.gate.in_flight == 0


async def test_a_refresh_that_the_limiter_refuses_is_a_failure():
    async with stale(hosts={"127.0.0.1": Limit("127.0.0.1", (Rate(3600, 1),))}) as (bench, _, origin, _, url):
        whole = await bench.ask(url)
        await idle(bench)

        assert (whole.status, told(bench), len(origin.log)) == (200, ["refresh_failed"], 1)


@pytest.mark.parametrize(
    ("method", "field", "status", "body"),
    [
        ("HEAD", None, 200, b""),
        ("GET", (b"If-None-Match", b'"v1"'), 304, b""),
        ("GET", (b"Range", b"bytes=1-2"), 206, b"el"),
    ],
)
async def test_whatever_was_asked_for_the_whole_is_validated(method, field, status, body):
    async with stale() as (bench, _, origin, _, url):
        whole = await bench.ask(url, method=method, fields=[field] if field else None)
        await idle(bench)
        after = await bench.ask(url)

        assert (whole.status, whole.body, whole.call.cache) == (status, body, "stale")
        assert (origin.log[1].method, origin.log[1].get("range")) == ("GET", None)
        assert (after.body, after.call.cache) == (b"hello", "hit")


@pytest.mark.parametrize("validates", [True, False])
async def test_what_is_invalidated_meanwhile_does_not_come_back(validates):
    async with stale() as (bench, _, origin, site, url):
        site.validates = validates
        site.go.clear()
        await bench.ask(url)
        await origin.until(lambda server: len(server.log) == 2)
        await bench.ask(url, method="POST")
        site.go.set()
        await idle(bench)
        after = await bench.ask(url)

    assert after.call.cache == "miss"


async def test_nothing_is_left_when_the_proxy_stops():
    async with stale() as (bench, _, origin, site, url):
        site.go.clear()
        await bench.ask(url)
        await origin.until(lambda server: len(server.log) == 2)
        await bench.flights.aclose()

        assert (bench.flights.background.count, bench.gate.in_flight) == (0, 0)
        assert (await bench.ask(url)).call.cache == "stale"
        assert bench.flights.background.count == 0


async def test_what_is_in_memory_is_answered_in_one_call_and_refreshed_all_the_same():
    async with stale() as (bench, clock, origin, _, url):
        begun = []
        hits = Hits(
            store=bench.store,
            rules=bench.rules,
            access=AccessPolicy(),
            refresh=lambda request, entry: begun.append((request.target, entry.body_length)),
        )
        asked = bench.call(url).request
        ready = hits.answer(asked, clock.wall(), conditional=False)
        long_way = Hits(store=bench.store, rules=bench.rules, access=AccessPolicy())

        assert ready is not None
        assert b"Sluicegate; hit; ttl=-20; detail=stale-while-revalidate\r\n" in ready.data
        assert ready.data.endswith(b"\r\n\r\nhello")
        assert begun == [("/a", 5)]
        assert long_way.answer(asked, clock.wall(), conditional=False) is None
        assert len(origin.log) == 1
