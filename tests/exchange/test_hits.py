"""Answers from memory, held against what the engine says to the same request."""

import contextlib

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.access import AccessPolicy
from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.core.http import RequestHead
from sluicegate.exchange.hits import Hits
from sluicegate.proxy import wire
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response

BODY = b"0123456789"


@contextlib.asynccontextmanager
async def stored(*fields, options=None, access=None, asked=(), status="200 OK", body=BODY):
    """A bench whose store has one response, the hits over it, and its URL."""
    clock = ManualClock(wall=1_800_000_000.0)
    said = answer(response(status=status, body=body, fields=[("Cache-Control", "max-age=100"), *fields]))
    async with ScriptedOrigin(said) as origin, engine_bench(clock=clock, options=options) as bench:
        url = origin.url + "/thing"
        await bench.ask(url, fields=list(asked))
        hits = Hits(store=bench.store, rules=bench.rules, access=access or AccessPolicy())
        yield bench, hits, url, clock


async def long_way(bench, call):
    """What the engine and the framing make of a call."""
    reply = await bench.engine.handle(call, None)
    framing = wire.Framing(reply, method=call.request.method, http_10=False, keep_alive=True)
    pieces = [framing.head(reply.head)]
    while not framing.bodyless and (data := await reply.body.read()):
        pieces.append(framing.piece(data))
    await reply.body.aclose()
    return b"".join(pieces)


async def both_ways(bench, hits, url, clock, *, method="GET", fields=(), conditional=True):
    call = bench.call(url, method=method, fields=list(fields))
    ready = hits.answer(call.request, clock.wall(), conditional=conditional)
    return ready, await long_way(bench, call)


async def test_a_plain_hit_is_what_the_long_way_says_byte_for_byte():
    async with stored(("ETag", '"v1"'), ("X-Odd", "caf\xe9"), ("Age", "7")) as (bench, hits, url, clock):
        await clock.advance(5)
        ready, expected = await both_ways(bench, hits, url, clock, conditional=False)

    assert ready.data == expected
    assert b"\r\nAge: 12\r\n" in expected
    assert (ready.status, ready.body_length) == (200, len(BODY))


async def test_its_age_goes_on_and_ends_with_its_freshness():
    async with stored() as (bench, hits, url, clock):
        request = bench.call(url).request
        assert b"\r\nAge: 0\r\n" in hits.answer(request, clock.wall(), conditional=False).data
        await clock.advance(99)
        assert b"\r\nAge: 99\r\n" in hits.answer(request, clock.wall(), conditional=False).data
        await clock.advance(1)

        assert hits.answer(request, clock.wall(), conditional=False) is None


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("HEAD", []),
        ("GET", [(b"If-None-Match", b'"v1"')]),
        ("GET", [(b"If-None-Match", b'W/"v1", "v2"')]),
        ("GET", [(b"If-None-Match", b'"other"')]),
        ("HEAD", [(b"If-None-Match", b'"v1"')]),
        ("GET", [(b"If-Modified-Since", b"Fri, 15 Jan 2027 08:00:00 GMT")]),
        ("GET", [(b"Range", b"bytes=2-4")]),
        ("GET", [(b"Range", b"bytes=-3")]),
        ("GET", [(b"Range", b"bytes=50-")]),
        ("GET", [(b"Range", b"bytes=2-4"), (b"If-Range", b'"v1"')]),
        ("GET", [(b"Range", b"bytes=2-4"), (b"If-Range", b'"v2"')]),
        ("GET", [(b"Range", b"lines=1-2")]),
        ("GET", [(b"Cache-Control", b"max-age=50, min-fresh=10")]),
        ("GET", [(b"Cache-Control", b"only-if-cached")]),
    ],
)
async def test_conditions_ranges_and_wishes_are_judged_as_the_long_way_does(method, fields):
    async with stored(("ETag", '"v1"')) as (bench, hits, url, clock):
        await clock.advance(3)
        ready, expected = await both_ways(bench, hits, url, clock, method=method, fields=fields)

    assert ready.data == expected
    assert ready.status == int(expected.split()[1])


@pytest.mark.parametrize("status", ["204 No Content", "301 Moved", "404 Not Found"])
async def test_other_statuses_are_answered_as_the_long_way_does(status):
    body = b"" if status.startswith("204") else b"gone"
    async with stored(status=status, body=body) as (bench, hits, url, clock):
        ready, expected = await both_ways(bench, hits, url, clock, conditional=False)

    assert ready.data == expected


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GET", [(b"Cache-Control", b"no-cache")]),
        ("GET", [(b"Pragma", b"no-cache")]),
        ("GET", [(b"Cache-Control", b"max-age=1")]),
        ("GET", [(b"If-Match", b'"v1"')]),
    ],
)
async def test_what_the_origin_must_be_asked_goes_the_long_way(method, fields):
    async with stored(("ETag", '"v1"')) as (bench, hits, url, clock):
        await clock.advance(3)

        assert (
            hits.answer(bench.call(url, method=method, fields=fields).request, clock.wall(), conditional=True) is None
        )


async def test_a_variant_is_only_for_those_who_asked_like_the_first():
    async with stored(("Vary", "Accept-Language"), asked=[(b"Accept-Language", b"de")]) as (bench, hits, url, clock):
        german = bench.call(url, fields=[(b"accept-language", b"de")]).request
        english = bench.call(url, fields=[(b"Accept-Language", b"en")]).request

        assert hits.answer(german, clock.wall(), conditional=False) is not None
        assert hits.answer(english, clock.wall(), conditional=False) is None
        assert hits.answer(bench.call(url).request, clock.wall(), conditional=False) is None


async def test_a_field_that_connection_names_is_not_there_for_vary():
    async with stored(("Vary", "X-Kind")) as (bench, hits, url, clock):
        fields = [(b"X-Kind", b"a"), (b"Connection", b"x-kind")]
        ready, expected = await both_ways(bench, hits, url, clock, fields=fields, conditional=False)

    assert ready.data == expected


async def test_what_must_be_validated_each_time_goes_the_long_way():
    async with stored(("Cache-Control", "no-cache"), ("ETag", '"v1"')) as (bench, hits, url, clock):
        assert await bench.store.entries(url)
        assert hits.answer(bench.call(url).request, clock.wall(), conditional=False) is None


async def test_a_freshened_entry_is_answered_with_its_new_head():
    async with stored(("ETag", '"v1"'), ("X-Turn", "1")) as (bench, hits, url, clock):
        request = bench.call(url).request
        assert b"X-Turn: 1" in hits.answer(request, clock.wall(), conditional=False).data
        (entry,) = await bench.store.entries(url)
        fields = [(name, b"2" if name == b"X-Turn" else value) for name, value in entry.response.fields]
        response_head = type(entry.response)(entry.response.status, entry.response.reason, fields)
        await bench.store.freshen(
            type(entry)(
                entry.id, entry.request, response_head, entry.request_time, entry.response_time, entry.body_length
            )
        )

        assert b"X-Turn: 2" in hits.answer(request, clock.wall(), conditional=False).data


async def test_what_is_removed_is_not_answered():
    async with stored() as (bench, hits, url, clock):
        request = bench.call(url).request
        assert hits.answer(request, clock.wall(), conditional=False) is not None
        (entry,) = await bench.store.entries(url)
        await bench.store.remove(entry.id)

        assert hits.answer(request, clock.wall(), conditional=False) == (url, bench.rules.plain)


async def test_a_cache_that_is_off_answers_nothing():
    async with stored() as (bench, _, url, clock):
        hits = Hits(store=bench.store, rules=RuleSet(CacheOptions(enabled=False)), access=AccessPolicy())

        assert hits.answer(bench.call(url).request, clock.wall(), conditional=False) is None


async def test_other_options_are_minded_at_once():
    async with stored(("CDN-Cache-Control", "max-age=3")) as (bench, hits, url, clock):
        request = bench.call(url).request
        assert b"ttl=100" in hits.answer(request, clock.wall(), conditional=False).data
        targeted = CacheOptions(targeted=(b"cdn-cache-control",))
        hits = Hits(store=bench.store, rules=RuleSet(targeted), access=AccessPolicy())

        assert b"ttl=3" in hits.answer(request, clock.wall(), conditional=False).data


async def test_a_destination_that_is_forbidden_is_not_answered_from_memory():
    async with stored(access=AccessPolicy(allow_private=False)) as (bench, hits, url, clock):
        assert hits.answer(bench.call(url).request, clock.wall(), conditional=False) is None


async def test_of_an_unstored_url_is_told_what_was_looked_for():
    async with stored() as (bench, hits, url, clock):
        head = bench.call(url).request
        other = RequestHead("GET", head.origin, "/other", head.fields)

        assert hits.answer(other, clock.wall(), conditional=False) == (f"{head.origin}/other", bench.rules.plain)
