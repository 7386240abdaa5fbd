from dataclasses import replace

import pytest

from sluicegate.core.http import ResponseHead
from sluicegate.stores.cache.redis.budget import Budget
from sluicegate.stores.cache.redis.keys import PIECE, tag_of
from sluicegate.stores.cache.redis.vault import Vault
from sluicegate.stores.cache.redis.writer import RedisWriter
from support.cache_entries import KEY, entry
from support.cache_stores import MIB


@pytest.fixture
def changed() -> list[str]:
    return []


@pytest.fixture
def make_writer(link, changed):
    async def remove(entry_ids) -> None:
        raise AssertionError(entry_ids)

    budget, vault = Budget(link, max_size=100 * MIB, remove=remove), Vault(link, "me")
    return lambda given=None, **options: RedisWriter(
        vault, budget, given or entry(), KEY, max_body=8 * MIB, on_change=changed.append, **options
    )


async def test_no_more_than_a_piece_is_kept_in_memory(make_writer):
    writer = make_writer()
    for _ in range(100):
        await writer.write(b"x" * 50_000)
        assert len(writer._rest) < PIECE
    await writer.aclose()


async def test_who_has_it_in_memory_is_told_of_the_change(make_writer, changed):
    writer = make_writer()
    await writer.write(b"x")
    assert changed == []

    await writer.commit()

    assert changed == [tag_of(KEY)]


async def test_what_is_invalidated_while_redis_stores_it_is_gone_before_memory_is_told_last(
    make_writer, changed, server
):
    answers = iter([True, False])
    writer = make_writer(good=lambda: next(answers))
    await writer.write(b"x")

    assert await writer.commit() is None

    assert changed == [tag_of(KEY)] * 2
    assert server.cli("keys", f"*{{{tag_of(KEY)}}}*") == ""


async def test_what_is_given_up_leaves_only_what_expires_soon(make_writer, server):
    writer = make_writer()
    await writer.write(b"x" * 3 * PIECE)

    await writer.aclose()

    pieces = [key for key in server.cli("keys", f"*{{{tag_of(KEY)}}}*").splitlines() if key]
    assert len(pieces) == 3
    assert all(0 < int(server.cli("ttl", key)) <= 60 for key in pieces)


async def test_a_head_that_cannot_be_written_down_is_not_stored(make_writer, server):
    writer = make_writer(replace(entry(), response=ResponseHead(200, b"OK", [(b"A", b"b\r\nC: d")])))
    await writer.write(b"x")

    assert await writer.commit() is None
    await writer.aclose()
    assert server.cli("keys", f"*{{{tag_of(KEY)}}}*") == ""


async def test_a_second_commit_is_none(make_writer):
    writer = make_writer()
    assert await writer.commit() is not None
    assert await writer.commit() is None
    assert not await writer.write(b"late")
    await writer.aclose()
