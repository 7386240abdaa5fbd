"""Digests that come along with a response (RFC 9530): what does not match is passed on and not kept."""

import base64
import hashlib

import pytest

from sluicegate.core.events import Notice
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response


def digested(body, *, of=None, name="Repr-Digest"):
    value = base64.b64encode(hashlib.sha256(body if of is None else of).digest()).decode()
    return response(body=body, fields=[("Cache-Control", "max-age=60"), (name, f"sha-256=:{value}:")])


async def ask_twice(sent):
    async with ScriptedOrigin(answer(sent)) as origin, engine_bench() as bench:
        first = await bench.ask(origin.url)
        second = await bench.ask(origin.url)
        return first, second, len(origin.log), bench.events.of(Notice)


@pytest.mark.parametrize("name", ["Repr-Digest", "Content-Digest"])
@pytest.mark.parametrize("body", [b"right", b"r" * 3_000_000, b""])
async def test_what_matches_its_digest_is_kept(name, body):
    first, second, asked, told = await ask_twice(digested(body, name=name))

    assert (first.body, second.body, asked, told) == (body, body, 1, [])


@pytest.mark.parametrize("name", ["Repr-Digest", "Content-Digest"])
@pytest.mark.parametrize("body", [b"wrong", b"w" * 3_000_000])
async def test_what_does_not_match_its_digest_is_passed_on_and_not_kept(name, body):
    first, second, asked, told = await ask_twice(digested(body, of=b"right", name=name))

    assert (first.body, second.body, asked) == (body, body, 2)
    assert [notice.event for notice in told] == ["cache_digest_mismatch"] * 2


async def test_a_part_of_what_is_kept_has_no_digest_of_the_whole_content():
    async with (
        ScriptedOrigin(answer(digested(b"0123456789", name="Content-Digest"))) as origin,
        engine_bench() as bench,
    ):
        await bench.ask(origin.url)
        part = await bench.ask(origin.url, fields=[(b"Range", b"bytes=2-4")])

        assert (part.status, part.body, part.get("Content-Digest")) == (206, b"234", None)
