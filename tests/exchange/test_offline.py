"""`cache.offline`: what is stored is all there is, and nothing leaves."""

import json

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.exchange.bodies import BytesBody
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response

OFFLINE = CacheOptions(offline=True)


async def stored_then_offline(bench, clock, url, *, seconds):
    """Store the page, and switch the cache to offline as a reload does."""
    await bench.ask(url)
    await clock.advance(seconds)
    bench.engine = bench.engine_with(RuleSet(OFFLINE))


def page(control="max-age=10, stale-while-revalidate=1000"):
    return answer(response(body=b"hello", fields=[("Cache-Control", control), ("ETag", '"v1"')]))


@pytest.mark.parametrize(("seconds", "cache"), [(5, "hit"), (50, "stale"), (10_000_000, "stale")])
async def test_what_is_stored_is_answered_whatever_its_age(seconds, cache):
    clock = ManualClock()
    async with ScriptedOrigin(page()) as origin, engine_bench(clock=clock) as bench:
        await stored_then_offline(bench, clock, origin.url + "/a", seconds=seconds)
        wholes = [await bench.ask(origin.url + "/a") for _ in range(3)]
        ranged = await bench.ask(origin.url + "/a", fields=[(b"Range", b"bytes=1-2")])

        assert [(whole.body, whole.call.cache) for whole in wholes] == [(b"hello", cache)] * 3
        assert (ranged.status, ranged.body) == (206, b"el")
        assert bench.flights.background.count == 0
        assert (len(origin.log), origin.accepted) == (1, 1)


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("GET", "/b", []),
        ("POST", "/a", []),
        ("DELETE", "/a", []),
        ("OPTIONS", "/a", [(b"Max-Forwards", b"3")]),
        ("GET", "/a", [(b"If-Match", b'"v1"')]),
        ("GET", "/a", [(b"Cache-Control", b"no-cache")]),
        ("GET", "/b", [(b"Cache-Control", b"only-if-cached")]),
    ],
)
async def test_everything_else_is_504_and_says_why(method, path, fields):
    clock = ManualClock()
    async with ScriptedOrigin(page()) as origin, engine_bench(clock=clock) as bench:
        await stored_then_offline(bench, clock, origin.url + "/a", seconds=50)
        body = BytesBody(b"x") if method == "POST" else None
        whole = await bench.ask(origin.url + path, method=method, fields=fields, body=body)
        after = await bench.ask(origin.url + "/a")

        problem = json.loads(whole.body)
        assert (whole.status, problem["type"]) == (504, "urn:sluicegate:problem:Offline")
        assert "cache.offline" in problem["detail"]
        assert "cache.offline" in problem["advice"]
        assert whole.get("cache-status") == "Sluicegate; detail=offline"
        assert (after.status, after.call.cache) == (200, "stale")
        assert origin.accepted == 1


async def test_what_must_not_be_used_stale_is_not():
    clock = ManualClock()
    async with ScriptedOrigin(page("max-age=10, must-revalidate")) as origin, engine_bench(clock=clock) as bench:
        await stored_then_offline(bench, clock, origin.url + "/a", seconds=50)
        whole = await bench.ask(origin.url + "/a")

    assert whole.status == 504


async def test_without_a_cache_there_is_nothing():
    nothing = CacheOptions(offline=True, enabled=False)
    async with ScriptedOrigin(page()) as origin, engine_bench(options=nothing) as bench:
        whole = await bench.ask(origin.url + "/a")

        assert (whole.status, origin.accepted) == (504, 0)


async def test_nor_is_there_for_a_request_that_may_not_use_it():
    async with ScriptedOrigin(page()) as origin, engine_bench(options=OFFLINE) as bench:
        call = bench.call(origin.url + "/a")
        call.may_use_cache = False
        whole = await bench.finish(call)

        assert (whole.status, origin.accepted) == (504, 0)


async def test_nothing_is_begun_at_once_either():
    async with ScriptedOrigin(page()) as origin, engine_bench(options=OFFLINE) as bench:
        call = bench.call(origin.url + "/a")
        call.plain = True

        assert bench.engine.begin(call, lambda _answer: None) is None
        assert (await bench.finish(call)).status == 504
        assert origin.accepted == 0
