import pytest

from sluicegate.core.caching.decisions import Span
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.redis.body import RedisBody
from sluicegate.stores.cache.redis.keys import PIECE, EntryId
from sluicegate.stores.cache.redis.notes import Note
from sluicegate.stores.cache.redis.vault import Vault
from support.messages import read_all


@pytest.fixture
async def stored(link):
    vault, one = Vault(link, "me"), EntryId.new("tag").grown(PIECE + 3)
    await vault.write_piece(one, 0, b"a" * PIECE)
    await vault.commit(one, b"head", b"bcd", Note(bytes(16), "http://a/"))
    return vault, one


async def test_a_span_ends_where_it_ends(stored):
    vault, one = stored
    body = RedisBody(vault, one, Span(PIECE - 2, PIECE + 2), b"aa")

    assert body.length == 4
    assert await read_all(body) == b"aabc"
    assert await body.read() == b""


async def test_what_is_lost_meanwhile_is_an_error_and_no_end(stored, server):
    vault, one = stored
    body = RedisBody(vault, one, Span(0, one.length), b"a" * PIECE)
    await body.read()
    server.cli("del", one.piece(1))

    with pytest.raises(CacheStoreError):
        await body.read()


async def test_nothing_is_read_after_closing(stored):
    vault, one = stored
    body = RedisBody(vault, one, Span(0, one.length), b"a" * PIECE)

    await body.aclose()

    assert await body.read() == b""
