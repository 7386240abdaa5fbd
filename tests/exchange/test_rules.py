"""The user's own rules, from a client's request to the origin and the store, and back."""

import asyncio

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.access import AccessPolicy
from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.caching.rules.queries import QueryRule
from sluicegate.core.caching.rules.rule_set import Rule, RuleSet
from sluicegate.core.events import CacheDecided
from sluicegate.exchange.hits import Hits, Ready
from sluicegate.proxy import wire
from sluicegate.tasks import spawn
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response

FRESH = [("Cache-Control", "max-age=60")]
IGNORING = Overrides(query=QueryRule(("utm_*",), sort=True))
NO_CACHE = [(b"Cache-Control", b"no-cache")]


def rules_of(*pairs, options=None):
    """Rules for paths: `("/a*", Overrides(...))`."""
    return RuleSet(options or CacheOptions(), [Rule(overrides, paths=(path,)) for path, overrides in pairs])


def echo(fields=FRESH):
    """Each answer's body is the target that was asked for."""
    return answer(lambda seen: response(body=seen.target.encode(), fields=fields))


def waiting_for(event):
    """An origin that answers once the event has come."""

    async def handle(peer):
        while await peer.request() is not None:
            await event.wait()
            peer.send(response(body=b"x", fields=FRESH))

    return handle


async def test_urls_that_differ_only_in_ignored_parameters_share_a_response_and_the_origin_sees_what_was_asked():
    async with ScriptedOrigin(echo()) as origin, engine_bench(rules=rules_of(("/*", IGNORING))) as bench:
        first = await bench.ask(origin.url + "/a?b=1&utm_x=2&a=3")
        second = await bench.ask(origin.url + "/a?utm_y=9&a=3&b=1")
        other = await bench.ask(origin.url + "/a?b=2")

    assert [whole.call.cache for whole in (first, second, other)] == ["miss", "hit", "miss"]
    assert second.body == b"/a?b=1&utm_x=2&a=3"
    assert [seen.target for seen in origin.log] == ["/a?b=1&utm_x=2&a=3", "/a?b=2"]
    key = f'key="{origin.url}/a?a=3&b=1"'
    assert first.get("Cache-Status") == f"Sluicegate; fwd=uri-miss; fwd-status=200; stored; {key}"
    assert second.get("Cache-Status") == f"Sluicegate; hit; ttl=60; {key}"


async def test_they_share_a_request_that_is_under_way_too():
    go_on = asyncio.Event()
    async with ScriptedOrigin(waiting_for(go_on)) as origin, engine_bench(rules=rules_of(("/*", IGNORING))) as bench:
        asked = [spawn(bench.ask(f"{origin.url}/a?utm_x={number}"), name="client") for number in range(3)]
        await origin.until(lambda seen: len(seen.log) == 1)
        while bench.flights.waiting < 2:
            await asyncio.sleep(0)
        go_on.set()
        wholes = await asyncio.gather(*asked)

    assert sorted(whole.call.cache for whole in wholes) == ["collapsed", "collapsed", "miss"]
    assert len(origin.log) == 1


@pytest.mark.parametrize("target", ["/a?utm_x=5", "/a?utm_y=6", "/a"])
async def test_an_unsafe_request_invalidates_whatever_its_ignored_parameters_are(target):
    async with ScriptedOrigin(echo()) as origin, engine_bench(rules=rules_of(("/*", IGNORING))) as bench:
        await bench.ask(origin.url + "/a?utm_x=1")
        await bench.ask(origin.url + target, method="POST")
        after = await bench.ask(origin.url + "/a?utm_z=1")

    assert after.call.cache == "miss"


async def test_what_a_location_names_is_invalidated_under_the_key_of_its_rule():
    def reply(seen):
        return response(body=b"x", fields=[("Location", "/a?utm_x=7")] if seen.method == "POST" else FRESH)

    async with ScriptedOrigin(answer(reply)) as origin, engine_bench(rules=rules_of(("/*", IGNORING))) as bench:
        await bench.ask(origin.url + "/a")
        await bench.ask(origin.url + "/b", method="POST")
        after = await bench.ask(origin.url + "/a?utm_z=1")

    assert after.call.cache == "miss"


async def test_an_unsafe_request_invalidates_what_was_stored_before_there_was_a_rule():
    async with ScriptedOrigin(echo()) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a?utm_x=1")
        bench.use(rules_of(("/*", IGNORING)))
        await bench.ask(origin.url + "/a?utm_x=1", method="DELETE")

        assert await bench.store.entries(origin.url + "/a?utm_x=1") == []


async def test_what_was_merged_is_not_used_once_the_rule_is_gone():
    everything = rules_of(("/*", Overrides(query=QueryRule(everything=True))))
    async with ScriptedOrigin(echo([*FRESH, ("ETag", '"same"')])) as origin, engine_bench(rules=everything) as bench:
        await bench.ask(origin.url + "/a?id=5")
        bench.use(RuleSet(CacheOptions()))
        plain = await bench.ask(origin.url + "/a")

    assert (plain.body, plain.call.cache) == (b"/a", "miss")
    assert origin.log[-1].get("If-None-Match") is None


async def test_what_matches_no_rule_is_cached_as_ever():
    rules = rules_of(("/never", Overrides(never=True)), ("/ruled", Overrides(ttl_s=600.0)))
    async with ScriptedOrigin(echo()) as origin, engine_bench(rules=rules) as bench:
        wholes = [await bench.ask(origin.url + "/plain") for _ in range(2)]

    assert [whole.get("Cache-Status") for whole in wholes] == [
        "Sluicegate; fwd=uri-miss; fwd-status=200; stored",
        "Sluicegate; hit; ttl=60",
    ]


async def test_a_forced_response_says_that_it_was_and_the_log_too():
    clock = ManualClock(wall=1_800_000_000.0)
    rules = rules_of(("/*", Overrides(ttl_s=600.0, force=True)))
    async with ScriptedOrigin(echo([])) as origin, engine_bench(rules=rules, clock=clock) as bench:
        wholes = []
        for _ in range(3):
            wholes.append(await bench.ask(origin.url + "/a"))
            await clock.advance(300)
        decided = bench.events.of(CacheDecided)

    assert [whole.get("Cache-Status") for whole in wholes] == [
        "Sluicegate; fwd=uri-miss; fwd-status=200; stored; detail=rule-store",
        "Sluicegate; hit; ttl=300; detail=rule-ttl",
        "Sluicegate; fwd=stale; fwd-status=200; stored; detail=rule-store",
    ]
    assert [event.reason for event in decided] == ["rule-store", "rule-ttl", "rule-store"]


async def test_never_asks_the_origin_each_time_and_says_so():
    rules = rules_of(("/*", Overrides(never=True)))
    async with ScriptedOrigin(echo()) as origin, engine_bench(rules=rules) as bench:
        wholes = [await bench.ask(origin.url + "/a") for _ in range(2)]

    assert [whole.get("Cache-Status") for whole in wholes] == [
        "Sluicegate; fwd=bypass; fwd-status=200; detail=rule-never"
    ] * 2
    assert [whole.call.cache for whole in wholes] == ["bypass", "bypass"]


async def test_never_does_not_keep_an_unsafe_request_from_invalidating_what_was_stored_before():
    async with ScriptedOrigin(echo()) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a")
        bench.use(rules_of(("/*", Overrides(never=True))))
        await bench.ask(origin.url + "/a", method="PUT")
        bench.use(RuleSet(CacheOptions()))
        after = await bench.ask(origin.url + "/a")

    assert after.call.cache == "miss"


async def test_a_reload_that_is_not_heeded_costs_no_request_and_says_so():
    rules = rules_of(("/*", Overrides(ignore_client_no_cache=True)))
    async with ScriptedOrigin(echo()) as origin, engine_bench(rules=rules) as bench:
        wholes = [await bench.ask(origin.url + "/a", fields=NO_CACHE) for _ in range(2)]

    assert wholes[1].get("Cache-Status") == "Sluicegate; hit; ttl=60; detail=rule-reload"
    assert len(origin.log) == 1
    assert origin.log[0].get("Cache-Control") == "no-cache"


async def test_downloaders_that_send_no_cache_everywhere_share_a_request_under_way():
    go_on = asyncio.Event()
    rules = rules_of(("/*", Overrides(ignore_client_no_cache=True)))
    async with ScriptedOrigin(waiting_for(go_on)) as origin, engine_bench(rules=rules) as bench:
        asked = [spawn(bench.ask(origin.url + "/a", fields=NO_CACHE), name="client") for _ in range(2)]
        await origin.until(lambda seen: len(seen.log) == 1)
        while not bench.flights.waiting:
            await asyncio.sleep(0)
        go_on.set()
        wholes = await asyncio.gather(*asked)

    assert sorted(whole.call.cache for whole in wholes) == ["collapsed", "miss"]


@pytest.mark.parametrize("stored_by", [b"alice", None])
async def test_a_page_that_the_origin_makes_for_each_visitor_is_shown_to_no_other(stored_by):
    """The origin knows visitors by their cookie, and relies on being asked each time."""

    def reply(seen):
        name = seen.get("Cookie") or "nobody"
        if seen.get("If-None-Match") == f'"{name}"':
            return response("304 Not Modified", fields=[("ETag", f'"{name}"')])
        return response(body=name.encode(), fields=[("Cache-Control", "no-cache"), ("ETag", f'"{name}"')])

    rules = rules_of(("/*", Overrides(ttl_s=600.0, force=True, immutable=True, ignore_client_no_cache=True)))
    async with ScriptedOrigin(answer(reply)) as origin, engine_bench(rules=rules) as bench:
        first = [(b"Cookie", stored_by)] if stored_by else []
        await bench.ask(origin.url + "/a", fields=first)
        bob = await bench.ask(origin.url + "/a", fields=[(b"Cookie", b"bob")])
        alice = await bench.ask(origin.url + "/a", fields=[(b"Cookie", b"alice")])
        nobody = await bench.ask(origin.url + "/a")

    private = {b"alice", b"bob"}
    assert bob.body in {b"bob", b"nobody"}
    assert alice.body in {b"alice", b"nobody"}
    assert nobody.body not in private


ANSWERS = [
    FRESH,
    [("Cache-Control", "max-age=1")],
    [("Cache-Control", "no-cache"), ("ETag", '"v1"')],
    [("Cache-Control", "max-age=60, immutable"), ("ETag", '"v1"'), ("Vary", "Accept")],
    [],
]
RULES = [
    Overrides(),
    Overrides(ttl_s=600.0, force=True),
    Overrides(ttl_s=5.0),
    Overrides(never=True),
    Overrides(immutable=True),
    Overrides(ignore_client_no_cache=True),
    Overrides(ttl_s=600.0, force=True, immutable=True, query=QueryRule(("utm_*",))),
    Overrides(query=QueryRule(everything=True)),
]
ASKED = [
    [],
    NO_CACHE,
    [(b"Cache-Control", b"max-age=0")],
    [(b"Range", b"bytes=1-2")],
    [(b"If-None-Match", b'"v1"')],
    [(b"Cookie", b"a=1")],
]


@pytest.mark.parametrize("said", ANSWERS)
@pytest.mark.parametrize("overrides", RULES)
async def test_what_is_answered_from_memory_is_what_the_long_way_says_byte_for_byte(said, overrides):
    clock = ManualClock(wall=1_800_000_000.0)
    rules = rules_of(("/*", overrides))
    compared = 0
    async with ScriptedOrigin(echo(said)) as origin, engine_bench(rules=rules, clock=clock) as bench:
        await bench.ask(origin.url + "/a?b=1&utm_x=1")
        hits = Hits(store=bench.store, rules=rules, access=AccessPolicy())
        for wait_s in (0, 3, 10, 100):
            await clock.advance(wait_s)
            for fields in ASKED:
                for target in ("/a?b=1&utm_x=1", "/a?utm_y=2&b=1"):
                    call = bench.call(origin.url + target, fields=list(fields))
                    ready = hits.answer(call.request, clock.wall(), conditional=bool(fields) and fields != ASKED[-1])
                    asked = len(origin.log)
                    expected = await _long_way(bench, call)
                    if isinstance(ready, Ready):
                        compared += 1
                        assert ready.data == expected
                        assert ready.reason.token == bench.events.of(CacheDecided)[-1].reason
                        assert len(origin.log) == asked
    assert compared or overrides.never or said in ([], ANSWERS[2])


async def _long_way(bench, call):
    reply = await bench.engine.handle(call, None)
    framing = wire.Framing(reply, method=call.request.method, http_10=False, keep_alive=True)
    pieces = [framing.head(reply.head)]
    while not framing.bodyless and (data := await reply.body.read()):
        pieces.append(framing.piece(data))
    await reply.body.aclose()
    return b"".join(pieces)
