"""What other requests than a GET leave for a later one, through the whole engine: POST, HEAD, and another variant."""

import pytest

from sluicegate.clock import ManualClock
from sluicegate.exchange.bodies import BytesBody
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response

FRESH = ("Cache-Control", "max-age=60")


class Page:
    """A page that can be changed by POST, and says in its answer to that what a GET gets from now on."""

    def __init__(self, *fields: tuple[str, str]) -> None:
        self.text = b"first"
        self.fields = fields

    def __call__(self, seen):
        if seen.method == "POST":
            self.text = seen.body
        return response(body=self.text, fields=[FRESH, *self.fields])


@pytest.mark.parametrize(("fields", "cached"), [([("Content-Location", "/a")], True), ([], False)])
async def test_rfc9110_9_3_3_the_answer_to_a_post_answers_a_get_if_it_says_so(fields, cached):
    async with ScriptedOrigin(answer(Page(*fields))) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a")
        changed = await bench.ask(origin.url + "/a", method="POST", body=BytesBody(b"second"))
        again = await bench.ask(origin.url + "/a")
        head = await bench.ask(origin.url + "/a", method="HEAD")
        posted = await bench.ask(origin.url + "/a", method="POST", body=BytesBody(b"third"))
        last = await bench.ask(origin.url + "/a")

    assert ("stored" in changed.get("cache-status")) is cached
    assert (again.body, again.call.cache) == (b"second", "hit" if cached else "miss")
    assert head.call.cache == "hit"
    assert (posted.body, posted.call.cache) == (b"third", "bypass")
    assert last.body == b"third"
    assert [seen.method for seen in origin.log].count("POST") == 2


async def test_rfc9111_4_3_5_a_head_request_renews_what_is_stored():
    def page(seen):
        whole = response(body=b"kept", fields=[FRESH])
        return whole.removesuffix(b"kept") if seen.method == "HEAD" else whole

    clock = ManualClock()
    async with ScriptedOrigin(answer(page)) as origin, engine_bench(clock=clock) as bench:
        await bench.ask(origin.url + "/a")
        await clock.advance(61)
        head = await bench.ask(origin.url + "/a", method="HEAD")
        await clock.advance(59)
        again = await bench.ask(origin.url + "/a")

    assert head.call.cache == "miss"
    assert (again.body, again.call.cache, again.get("age")) == (b"kept", "hit", "59")


async def test_rfc9111_4_1_a_variant_that_the_origin_confirms_is_not_sent_again():
    def page(seen):
        fields = [FRESH, ("Vary", "Accept-Language"), ("ETag", '"german"')]
        if '"german"' in (seen.get("if-none-match") or ""):
            return response(304, fields=fields, reason="Not Modified")
        return response(body=b"Guten Tag", fields=fields)

    def language(name):
        return {"fields": [(b"Accept-Language", name)]}

    async with ScriptedOrigin(answer(page)) as origin, engine_bench() as bench:
        told = [await bench.ask(origin.url + "/a", **language(name)) for name in (b"de", b"de-AT", b"de-AT", b"de")]

    assert [one.body for one in told] == [b"Guten Tag"] * 4
    assert [one.call.cache for one in told] == ["miss", "revalidated", "hit", "hit"]
    assert told[1].get("cache-status") == "Sluicegate; fwd=vary-miss; fwd-status=304; stored; ttl=60"
    assert len(origin.log) == 2
