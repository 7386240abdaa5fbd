import pytest

from sluicegate.core.caching.decisions import Span
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.redis.keys import PIECE, USES, EntryId, body_field, note_field
from sluicegate.stores.cache.redis.notes import Note
from sluicegate.stores.cache.redis.vault import Vault
from support.cache_stores import until

DAY = 24 * 3600
NOTE = Note(bytes(16), "http://a.example/")


@pytest.fixture
def vault(link) -> Vault:
    return Vault(link, "me")


def entry_id(length: int) -> EntryId:
    return EntryId.new("tag").grown(length, 4)


async def written(vault: Vault, length: int) -> EntryId:
    """An entry of x, committed."""
    one = entry_id(length)
    whole, rest = divmod(length, PIECE) if one.pieces else (0, length)
    for number in range(whole):
        await vault.write_piece(one, number, b"x" * PIECE)
    assert await vault.commit(one, b"head", b"x" * rest, NOTE)
    return one


async def test_a_small_body_comes_with_the_heads(vault):
    one, other = await written(vault, 3), await written(vault, 100_000)

    found = await vault.heads("tag")

    assert {name: value for name, value in found.items() if value != NOTE.dump()} == {
        str(one).encode(): b"head",
        body_field(str(one)).encode(): b"xxx",
        str(other).encode(): b"head",
    }


async def test_every_key_lives_for_a_time_only(vault, server):
    unfinished = entry_id(PIECE + 1)
    await vault.write_piece(unfinished, 0, b"x" * PIECE)
    assert 0 < int(server.cli("ttl", unfinished.piece(0))) <= 3600
    finished = await written(vault, PIECE + 1)

    for key in (finished.heads, *finished.pieces):
        assert 29 * DAY < int(server.cli("ttl", key)) <= 30 * DAY


async def test_what_is_used_lives_on(vault, server):
    one = await written(vault, PIECE + 1)
    for key in (one.heads, *one.pieces):
        server.cli("expire", key, "100")

    await vault.renew([one])

    assert all(int(server.cli("ttl", key)) > 29 * DAY for key in (one.heads, *one.pieces))


async def test_nothing_is_shown_of_which_a_piece_has_expired(vault, server):
    one = entry_id(PIECE + 1)
    await vault.write_piece(one, 0, b"x" * PIECE)
    server.cli("del", one.piece(0))

    assert not await vault.commit(one, b"head", b"x", NOTE)
    assert await vault.heads("tag") == {}


@pytest.mark.parametrize("lost", [0, 1, 2])
async def test_a_body_of_which_a_piece_is_lost_is_not_begun(vault, server, lost):
    one = await written(vault, 2 * PIECE + 1)
    server.cli("del", one.piece(lost))

    with pytest.raises(CacheStoreError):
        await vault.begin_body(one, Span(0, one.length))
    if lost:
        assert len(await vault.begin_body(one, Span(0, 10))) == 10


async def test_a_piece_that_is_too_short_is_not_delivered(vault, server):
    one = await written(vault, 2 * PIECE)
    server.cli("set", one.piece(0), "short")
    server.cli("set", one.piece(1), "short")

    with pytest.raises(CacheStoreError):
        await vault.begin_body(one, Span(0, one.length))
    with pytest.raises(CacheStoreError):
        await vault.read(one, PIECE, one.length)


async def test_a_small_body_that_is_lost_or_cut_is_not_delivered(vault, server):
    one = await written(vault, 10)
    server.cli("hset", one.heads, body_field(str(one)), "short")
    with pytest.raises(CacheStoreError):
        await vault.begin_body(one, Span(0, 10))
    server.cli("del", one.heads)
    with pytest.raises(CacheStoreError):
        await vault.begin_body(one, Span(0, 10))


async def test_a_span_is_read_from_where_it_is(vault):
    one = await written(vault, 2 * PIECE + 1)

    assert len(await vault.begin_body(one, Span(PIECE - 1, PIECE + 5))) == 1
    assert len(await vault.read(one, PIECE, PIECE + 5)) == 5
    assert len(await vault.read(one, PIECE, one.length)) == PIECE


async def test_who_reads_a_body_that_was_removed_keeps_the_rest_of_it_alive(vault, server):
    one = await written(vault, 3 * PIECE)
    await vault.remove([one])
    for key in one.pieces:
        server.cli("expire", key, "10")

    await vault.read(one, PIECE, 3 * PIECE)

    assert [int(server.cli("ttl", key)) > 10 for key in one.pieces] == [False, False, True]


async def test_reading_shortens_no_life(vault, server):
    one = await written(vault, 2 * PIECE)

    await vault.read(one, 0, 2 * PIECE)

    assert int(server.cli("ttl", one.piece(1))) > 29 * DAY


async def test_every_change_is_published(vault, ears):
    one = await written(vault, 3)
    await vault.freshen(one, b"new")
    await vault.remove([one])

    await until(lambda: len(ears.messages) == 3)
    assert ears.messages == [b"me:tag"] * 3


async def test_freshening_what_is_gone_changes_nothing(vault, ears):
    one = await written(vault, 3)
    await vault.remove([one])
    await vault.freshen(one, b"new")

    assert await vault.heads("tag") == {}


async def test_entries_are_paged_through_with_what_is_noted_of_them(vault):
    one = await written(vault, 10)
    await vault._link.one("ZADD", USES, 5_000_000, str(one), 6_000_000, str(entry_id(7)))

    cursor, [kept] = await vault.page(0)

    assert cursor == 0
    assert (kept.id, kept.head, kept.note, kept.used) == (one, b"head", NOTE, 5.0)
    assert await vault.under("tag") == [kept]
    assert await vault.under("other") == []


async def test_what_an_older_version_stored_has_no_note(vault):
    one = await written(vault, 10)
    await vault._link.one("HDEL", one.heads, note_field(str(one)))

    [kept] = await vault.under("tag")

    assert kept.note is None
