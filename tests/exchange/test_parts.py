"""Parts of responses through the whole engine: kept, used, completed, and never mixed up."""

import asyncio

import pytest

from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response

WHOLE = b"0123456789"


class Resource:
    """Answers whole or single ranges, as If-Range has it; `turn` to another version at any time."""

    def __init__(self, whole: bytes = WHOLE, etag: str = '"v1"') -> None:
        self.whole = whole
        self.etag = etag
        self.minds_if_range = True

    def turn(self, whole: bytes, etag: str) -> None:
        self.whole, self.etag = whole, etag

    def __call__(self, seen):
        fields = [("ETag", self.etag), ("Cache-Control", "max-age=60"), ("Content-Type", "text/plain")]
        ranged = seen.get("range")
        if ranged is None or (self.minds_if_range and seen.get("if-range") not in (None, self.etag)):
            return response(body=self.whole, fields=fields)
        first, _, last = ranged.removeprefix("bytes=").partition("-")
        start, end = int(first), int(last or len(self.whole) - 1) + 1
        told = ("Content-Range", f"bytes {start}-{end - 1}/{len(self.whole)}")
        return response(206, self.whole[start:end], [*fields, told], reason="Partial Content")


def ranged(asked):
    return {"fields": [(b"Range", asked)]}


async def test_a_part_is_kept_and_answers_ranges_inside_it():
    async with ScriptedOrigin(answer(Resource())) as origin, engine_bench() as bench:
        first = await bench.ask(origin.url + "/a", **ranged(b"bytes=2-7"))
        inside = await bench.ask(origin.url + "/a", **ranged(b"bytes=3-5"))
        outside = await bench.ask(origin.url + "/a", **ranged(b"bytes=5-8"))

    assert (first.status, first.body) == (206, b"234567")
    assert (inside.status, inside.body, inside.call.cache) == (206, b"345", "hit")
    assert inside.get("content-range") == "bytes 3-5/10"
    assert (outside.status, outside.body, outside.call.cache) == (206, b"5678", "miss")
    assert len(origin.log) == 2


@pytest.mark.parametrize(
    ("held", "asked"), [(b"bytes=0-3", "bytes=4-"), (b"bytes=4-9", "bytes=0-3"), (b"bytes=9-9", "bytes=0-8")]
)
async def test_only_what_is_missing_is_fetched_and_the_whole_is_kept(held, asked):
    async with ScriptedOrigin(answer(Resource())) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a", **ranged(held))
        whole = await bench.ask(origin.url + "/a")
        again = await bench.ask(origin.url + "/a")

    assert (whole.status, whole.body) == (200, WHOLE)
    assert whole.get("content-range") is None
    assert whole.get("cache-status") == "Sluicegate; fwd=partial; fwd-status=206; stored"
    assert (again.body, again.call.cache) == (WHOLE, "hit")
    assert [seen.get("range") for seen in origin.log] == [held.decode(), asked]
    assert origin.log[1].get("if-range") == '"v1"'


async def test_another_version_takes_the_place_of_the_part():
    resource = Resource()
    async with ScriptedOrigin(answer(resource)) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a", **ranged(b"bytes=0-3"))
        resource.turn(b"abcdefghij", '"v2"')
        whole = await bench.ask(origin.url + "/a")
        part = await bench.ask(origin.url + "/a", **ranged(b"bytes=0-3"))

    assert (whole.status, whole.body) == (200, b"abcdefghij")
    assert (part.body, part.call.cache) == (b"abcd", "hit")


async def test_an_origin_that_does_not_mind_if_range_never_gets_two_versions_mixed():
    resource = Resource()
    resource.minds_if_range = False
    async with ScriptedOrigin(answer(resource)) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a", **ranged(b"bytes=0-3"))
        resource.turn(b"abcdefghij", '"v2"')
        whole = await bench.ask(origin.url + "/a")

    assert (whole.status, whole.body) == (200, b"abcdefghij")
    assert [seen.get("range") for seen in origin.log] == ["bytes=0-3", "bytes=4-", None]


async def test_a_part_that_is_gone_costs_one_request_more_and_no_byte():
    async with ScriptedOrigin(answer(Resource())) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a", **ranged(b"bytes=0-3"))
        (entry,) = await bench.store.entries(origin.url + "/a")
        open_body = bench.store.open_body

        async def lose_it(found, span=None):
            if found.id == entry.id:
                await bench.store.remove(entry.id)
            return await open_body(found, span)

        bench.store.open_body = lose_it
        whole = await bench.ask(origin.url + "/a")

    assert (whole.status, whole.body) == (200, WHOLE)
    assert origin.log[-1].get("range") is None


async def test_several_ranges_of_what_is_stored_come_in_one_multipart_response():
    async with ScriptedOrigin(answer(Resource())) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a")
        parts = await bench.ask(origin.url + "/a", **ranged(b"bytes=0-1,-2"))

    boundary = parts.get("content-type").removeprefix("multipart/byteranges; boundary=").encode()
    assert (parts.status, parts.call.cache) == (206, "hit")
    assert parts.get("content-length") == str(len(parts.body))
    assert [piece.partition(b"\r\n\r\n")[2] for piece in parts.body.split(b"\r\n--" + boundary)] == [
        b"",
        b"01",
        b"89",
        b"",
    ]
    assert len(origin.log) == 1


async def test_a_client_that_leaves_while_a_part_is_being_replaced_leaves_nothing_open():
    async with ScriptedOrigin(answer(Resource())) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/a", **ranged(b"bytes=0-3"))
        open_body, opened, removing = bench.store.open_body, [], asyncio.Event()

        class Watched:
            def __init__(self, body):
                self.body, self.closed = body, False

            def __getattr__(self, name):
                return getattr(self.body, name)

            async def aclose(self):
                self.closed = True
                await self.body.aclose()

        async def watch(found, span=None):
            opened.append(Watched(await open_body(found, span)))
            return opened[-1]

        async def remove(_entry_id):
            removing.set()
            await asyncio.Event().wait()

        bench.store.open_body, bench.store.remove = watch, remove
        leaving = asyncio.get_running_loop().create_task(bench.ask(origin.url + "/a"))
        await asyncio.wait_for(removing.wait(), 10)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving

    assert [body.closed for body in opened] == [True]
    assert bench.gate.in_flight == 0
