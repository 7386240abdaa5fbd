import asyncio

import pytest

from sluicegate.core.events import CacheDecided
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.tasks import spawn
from sluicegate.warming.agenda import Agenda
from sluicegate.warming.lists import Wanted
from sluicegate.warming.results import Outcome
from sluicegate.warming.sitemap import SitemapError
from sluicegate.warming.warmer import Warmer
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, hang, response


def reply(seen):
    if seen.target.startswith("/no-store"):
        return response(body=b"x", fields=[("Cache-Control", "no-store")])
    if seen.target.startswith("/missing"):
        return response(404, body=b"x")
    return response(body=b"hello", fields=[("Cache-Control", "max-age=60"), ("ETag", '"a"')])


async def warmed(bench, origin, *targets, fields=(), refresh=False, bound=8):
    results = []
    bench.events.wants = lambda kind: kind is not CacheDecided  # as it is in the command: the call is told
    agenda = Agenda([Wanted(origin.url + target, "x") for target in targets], lambda _host: bound)
    await Warmer(bench.engine, list(fields), refresh=refresh).warm(agenda, 16, results.append)
    return {result.wanted.url.removeprefix(origin.url): result.outcome for result in results}


async def test_each_url_is_fetched_and_its_outcome_told():
    async with ScriptedOrigin(answer(reply)) as origin, engine_bench() as bench:
        found = await warmed(bench, origin, "/a", "/no-store", "/missing")
        again = await warmed(bench, origin, "/a")

    assert found == {"/a": Outcome.STORED, "/no-store": Outcome.NOT_CACHEABLE, "/missing": Outcome.FAILED}
    assert again == {"/a": Outcome.FRESH}
    assert len(origin.log) == 3


async def test_a_refresh_asks_even_about_what_is_fresh():
    async with ScriptedOrigin(answer(reply)) as origin, engine_bench() as bench:
        await warmed(bench, origin, "/a")
        await warmed(bench, origin, "/a", refresh=True)

    assert [seen.get("if-none-match") for seen in origin.log] == [None, '"a"']


async def test_what_is_stale_is_validated_now_even_where_that_might_be_done_in_the_background():
    lenient = [("Cache-Control", "max-age=0, stale-while-revalidate=60"), ("ETag", '"a"')]
    async with ScriptedOrigin(answer(response(body=b"hello", fields=lenient))) as origin, engine_bench() as bench:
        await warmed(bench, origin, "/a")
        again = await warmed(bench, origin, "/a")

    assert again == {"/a": Outcome.STORED}
    assert [seen.get("if-none-match") for seen in origin.log] == [None, '"a"']


async def test_given_fields_are_sent():
    async with ScriptedOrigin(answer(reply)) as origin, engine_bench() as bench:
        await warmed(bench, origin, "/a", fields=[(b"Accept-Encoding", b"gzip")])

    assert origin.log[0].get("accept-encoding") == "gzip"


async def test_no_more_are_under_way_than_the_host_may_have():
    most = 0

    async def count(peer):
        nonlocal most
        while await peer.request() is not None:
            most = max(most, origin.open)
            peer.send(response(body=b"x"))

    async with ScriptedOrigin(count) as origin, engine_bench() as bench:
        await warmed(bench, origin, *(f"/{n}" for n in range(20)), bound=2)

    assert most <= 2
    assert len(origin.log) == 20


async def test_one_that_is_refused_by_the_limiter_has_failed():
    limit = Limit("default", (Rate(3600.0, 1),), max_wait_s=0.0)
    async with ScriptedOrigin(answer(reply)) as origin, engine_bench(default=limit) as bench:
        found = await warmed(bench, origin, "/a", "/b")

    assert sorted(found.values()) == [Outcome.FAILED, Outcome.STORED]


async def test_when_it_is_cancelled_nothing_goes_on():
    async with ScriptedOrigin(hang) as origin, engine_bench() as bench:
        task = spawn(warmed(bench, origin, *(f"/{n}" for n in range(4))), name="warm")
        await origin.until(lambda server: server.open == 4)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=10)
        assert [one.cancelled() for one in done] == [True]
        await origin.until(lambda server: server.open == 0)
        assert bench.gate.in_flight == 0


async def test_a_sitemap_is_fetched_whole_or_not_at_all():
    async with ScriptedOrigin(answer(reply)) as origin, engine_bench() as bench:
        warmer = Warmer(bench.engine, [])
        assert await warmer.fetch(f"{origin.url}/a") == b"hello"
        with pytest.raises(SitemapError, match="404"):
            await warmer.fetch(f"{origin.url}/missing")
        with pytest.raises(SitemapError, match="refused the connection"):
            await warmer.fetch("http://127.0.0.1:9/")
