import asyncio

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.events import CacheDecided
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.errors import ResponseCutShort
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response

FRESH = [("Cache-Control", "max-age=60"), ("ETag", '"v1"')]


def stored(body=b"hello", fields=FRESH):
    def reply(seen):
        if seen.get("if-none-match") == '"v1"':
            return response(304, fields=[("ETag", '"v1"'), ("Cache-Control", "max-age=60")], reason="Not Modified")
        return response(body=body, fields=fields)

    return answer(reply)


async def test_the_second_request_is_answered_from_the_cache():
    async with ScriptedOrigin(stored()) as origin, engine_bench() as bench:
        first = await bench.ask(origin.url + "/a")
        second = await bench.ask(origin.url + "/a")

    assert (first.call.cache, second.call.cache) == ("miss", "hit")
    assert second.body == b"hello"
    assert second.get("age") == "0"
    assert second.get("cache-status").startswith("Sluicegate; hit; ttl=")
    assert len(origin.log) == 1


async def test_a_hit_costs_no_permit_and_waits_for_none():
    limits = {"127.0.0.1": Limit("127.0.0.1", (Rate(3600, 1),))}
    async with ScriptedOrigin(stored()) as origin, engine_bench(hosts=limits) as bench:
        await bench.ask(origin.url + "/a")
        hits = [await bench.ask(origin.url + "/a") for _ in range(5)]
        refused = await bench.ask(origin.url + "/b")

    assert [whole.call.cache for whole in hits] == ["hit"] * 5
    assert [whole.call.wait_s for whole in hits] == [0.0] * 5
    assert refused.status == 429


async def test_a_stale_response_is_revalidated_and_freshened():
    clock = ManualClock()
    async with ScriptedOrigin(stored()) as origin, engine_bench(clock=clock) as bench:
        await bench.ask(origin.url + "/a")
        await clock.advance(120)
        validated = await bench.ask(origin.url + "/a")
        again = await bench.ask(origin.url + "/a")

    assert (validated.status, validated.body, validated.call.cache) == (200, b"hello", "revalidated")
    assert "fwd=stale" in validated.get("cache-status")
    assert again.call.cache == "hit"
    assert [seen.get("if-none-match") for seen in origin.log] == [None, '"v1"']


async def test_a_response_that_says_no_store_is_asked_for_each_time():
    async with ScriptedOrigin(stored(fields=[("Cache-Control", "no-store")])) as origin, engine_bench() as bench:
        wholes = [await bench.ask(origin.url + "/a") for _ in range(2)]

    assert [whole.call.cache for whole in wholes] == ["miss", "miss"]
    assert len(origin.log) == 2
    assert bench.events.of(CacheDecided)[0].reason == "no-store"


async def test_a_switched_off_cache_neither_reads_nor_writes():
    async with ScriptedOrigin(stored()) as origin, engine_bench(options=CacheOptions(enabled=False)) as bench:
        wholes = [await bench.ask(origin.url + "/a") for _ in range(2)]

    assert [whole.call.cache for whole in wholes] == ["bypass", "bypass"]
    assert len(origin.log) == 2


async def test_a_request_whose_host_is_not_its_origin_never_touches_the_cache():
    async with ScriptedOrigin(stored()) as origin, engine_bench() as bench:
        call = bench.call(origin.url + "/a", fields=[])
        call.may_use_cache = False
        await bench.finish(call)
        after = await bench.ask(origin.url + "/a")

    assert after.call.cache == "miss"


async def test_rfc9111_4_4_a_successful_post_invalidates():
    async with ScriptedOrigin(stored()) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a")
        await bench.ask(origin.url + "/a", method="POST")
        after = await bench.ask(origin.url + "/a")

    assert after.call.cache == "miss"


async def test_what_is_cut_short_is_never_stored():
    async def cut(peer):
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 100\r\n\r\nhalf")
        await peer.drain()

    async with ScriptedOrigin(cut) as origin, engine_bench() as bench:
        for _ in range(2):
            with pytest.raises(ResponseCutShort):
                await bench.ask(origin.url + "/a")

    assert len(origin.log) == 2
    assert bench.gate.in_flight == 0


async def test_a_client_that_leaves_mid_body_leaves_nothing_behind():
    async def endless(peer):
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        await peer.gone()

    async with ScriptedOrigin(endless) as origin, engine_bench() as bench:
        bench.flights.abandoned.limit = 0
        task = asyncio.get_running_loop().create_task(bench.ask(origin.url + "/a"))
        await origin.until(lambda server: server.log != [])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await origin.until(lambda server: server.open == 0)

        assert bench.gate.in_flight == 0
        assert bench.store.stats()[0] == 0


async def test_only_if_cached_is_never_forwarded():
    async with ScriptedOrigin(stored()) as origin, engine_bench() as bench:
        whole = await bench.ask(origin.url + "/a", fields=[(b"Cache-Control", b"only-if-cached")])

    assert whole.status == 504
    assert origin.log == []


async def test_a_hit_whose_body_is_gone_is_fetched_again(monkeypatch):
    async with ScriptedOrigin(stored()) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a")
        open_body = bench.store.open_body

        async def gone_by_then(entry, span=None):
            await bench.store.remove(entry.id)
            return await open_body(entry, span)

        monkeypatch.setattr(bench.store, "open_body", gone_by_then)
        whole = await bench.ask(origin.url + "/a")

    assert (whole.status, whole.body, whole.call.cache) == (200, b"hello", "miss")


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        (b"bytes=1-3", 206, b"ell", "bytes 1-3/5"),
        (b"bytes=-2", 206, b"lo", "bytes 3-4/5"),
        (b"bytes=5-", 416, b"", "bytes */5"),
    ],
)
async def test_rfc9110_14_a_range_of_what_is_stored_is_answered_from_the_cache(asked, status, body, content_range):
    async with ScriptedOrigin(stored()) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a")
        part = await bench.ask(origin.url + "/a", fields=[(b"Range", asked)])
        condition = await bench.ask(origin.url + "/a", fields=[(b"Range", asked), (b"If-Range", b'"other"')])

    assert (part.status, part.body, part.call.cache) == (status, body, "hit")
    assert part.get("content-range") == content_range
    assert (condition.status, condition.body) == (200, b"hello")
    assert len(origin.log) == 1


async def test_rfc9213_a_targeted_field_decides_instead_of_cache_control():
    fields = [("Cache-Control", "no-store"), ("CDN-Cache-Control", "max-age=60")]
    options = CacheOptions(targeted=(b"cdn-cache-control",))
    async with ScriptedOrigin(stored(fields=fields)) as origin, engine_bench(options=options) as bench:
        wholes = [await bench.ask(origin.url + "/a") for _ in range(2)]

    assert [whole.call.cache for whole in wholes] == ["miss", "hit"]


async def test_rfc9111_4_4_a_successful_post_invalidates_what_its_location_names():
    def reply(seen):
        posted = seen.method == "POST"
        return response(body=b"x", fields=[("Location", "/a")] if posted else FRESH)

    async with ScriptedOrigin(answer(reply)) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a")
        await bench.ask(origin.url + "/b", method="POST")
        after = await bench.ask(origin.url + "/a")

    assert after.call.cache == "miss"


async def test_what_becomes_complete_while_the_store_is_asked_is_not_asked_for_again(monkeypatch):
    async with ScriptedOrigin(stored()) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a")
        known = [None, bench.store.recall(cache_key(bench.call(origin.url + "/a").request))]
        monkeypatch.setattr(bench.store, "recall", lambda _key: known.pop(0))

        async def nothing_yet(key):
            return []

        monkeypatch.setattr(bench.store, "entries", nothing_yet)
        whole = await bench.ask(origin.url + "/a")

    assert (whole.body, whole.call.cache) == (b"hello", "hit")
    assert len(origin.log) == 1


async def test_a_response_without_a_body_is_stored_though_nobody_reads_it():
    async with ScriptedOrigin(stored(body=b"")) as origin, engine_bench() as bench:
        answered = await bench.engine.handle(bench.call(origin.url + "/a"), None)
        await answered.body.aclose()
        again = await bench.ask(origin.url + "/a")

    assert again.call.cache == "hit"


async def test_rfc9111_4_4_what_was_stored_while_a_post_was_under_way_does_not_outlive_it():
    posted, done = asyncio.Event(), asyncio.Event()

    async def handle(peer):
        while (seen := await peer.request()) is not None:
            if seen.method == "POST":
                posted.set()
                await done.wait()
            peer.send(response(body=b"x", fields=FRESH))

    async with ScriptedOrigin(handle) as origin, engine_bench() as bench:
        posting = asyncio.get_running_loop().create_task(bench.ask(origin.url + "/a", method="POST"))
        await asyncio.wait_for(posted.wait(), 10)
        before = await bench.ask(origin.url + "/a")
        done.set()
        await posting
        after = await bench.ask(origin.url + "/a")

    assert (before.call.cache, after.call.cache) == ("miss", "miss")
