"""Requests that wait for one another, where several people use the cache: nobody gets or breaks what is another's."""

import asyncio

import pytest

from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.tasks import spawn
from support.cache_stores import until
from support.engine import engine_bench
from support.origin import ScriptedOrigin, response

SEVERAL = CacheOptions(several=True)


class Account:
    """An origin whose answers name whose they are, all given once `go` is set."""

    def __init__(self, *fields):
        self.go = asyncio.Event()
        self.fields = list(fields)

    async def __call__(self, peer):
        while (seen := await peer.request()) is not None:
            await self.go.wait()
            if seen.get("X-Too-Long"):
                return
            owner = (seen.get("Cookie") or seen.get("Authorization") or "nobody").encode()
            peer.send(response(body=b"account of " + owner, fields=self.fields))


async def together(bench, origin, *requests):
    """The answers to requests that come while the first is under way."""
    tasks = [spawn(bench.ask(origin.url + "/x", fields=list(requests[0])), name="leader")]
    await origin.until(lambda seen: len(seen.log) == 1)
    tasks += [spawn(bench.ask(origin.url + "/x", fields=list(fields)), name="follower") for fields in requests[1:]]
    await until(lambda: bench.flights.waiting + len(origin.log) == len(requests))
    origin.handler.go.set()
    return await asyncio.gather(*tasks)


@pytest.mark.parametrize(
    "fields",
    [
        [("Cache-Control", "private, max-age=60")],
        [("Cache-Control", "no-store")],
        [("Cache-Control", "max-age=60"), ("Set-Cookie", "session=1")],
        [("Last-Modified", "Fri, 14 Jul 2017 02:40:00 GMT")],
        [("Cache-Control", "max-age=60"), ("Vary", "Cookie")],
        [],
    ],
)
async def test_who_waited_for_anothers_answer_gets_its_own(fields):
    async with ScriptedOrigin(Account(*fields)) as origin, engine_bench(options=SEVERAL) as bench:
        answers = await together(bench, origin, [(b"Cookie", b"ann")], [(b"Cookie", b"bob")], [])

    assert [whole.body for whole in answers] == [b"account of ann", b"account of bob", b"account of nobody"]


async def test_rfc9111_3_5_authorized_requests_share_nothing_that_does_not_say_so():
    async with (
        ScriptedOrigin(Account(("Cache-Control", "max-age=60"))) as origin,
        engine_bench(options=SEVERAL) as bench,
    ):
        answers = await together(bench, origin, [(b"Authorization", b"Basic ann")], [(b"Authorization", b"Basic bob")])

    assert [whole.body for whole in answers] == [b"account of Basic ann", b"account of Basic bob"]


async def test_a_request_that_makes_the_origin_hang_up_fails_nobody_elses():
    """An attacker could otherwise keep everybody from a URL with fields that are too long for its origin."""
    async with (
        ScriptedOrigin(Account(("Cache-Control", "max-age=60"))) as origin,
        engine_bench(options=SEVERAL) as bench,
    ):
        evil, *others = await together(bench, origin, [(b"X-Too-Long", b"x")], [], [])

    assert evil.status == 502
    assert [(whole.status, whole.body) for whole in others] == [(200, b"account of nobody")] * 2


async def test_what_is_for_all_is_still_asked_for_once():
    async with (
        ScriptedOrigin(Account(("Cache-Control", "max-age=60"))) as origin,
        engine_bench(options=SEVERAL) as bench,
    ):
        answers = await together(bench, origin, [], [], [])

        assert len(origin.log) == 1
    assert [whole.status for whole in answers] == [200] * 3
