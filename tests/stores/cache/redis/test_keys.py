import pytest

from sluicegate.stores.cache.redis.keys import INLINE, PIECE, EntryId, heads_key, tag_of


def test_all_keys_of_a_cache_key_are_in_one_slot():
    entry_id = EntryId.new(tag_of("http://example.com/{a}?}{")).grown(3 * PIECE)
    keys = [entry_id.heads, *entry_id.pieces]

    assert len(keys) == 4
    assert {key[key.index("{") + 1 : key.index("}")] for key in keys} == {entry_id.tag}


def test_the_tag_is_the_same_each_time_and_another_for_another_key():
    assert tag_of("http://a/") == tag_of("http://a/")
    assert tag_of("http://a/") != tag_of("http://b/")
    assert tag_of("http://\udc80/")


def test_keys_carry_the_format_version():
    assert heads_key("tag") == "sluicegate:1:{tag}"


@pytest.mark.parametrize(
    ("length", "pieces"), [(0, 0), (INLINE, 0), (INLINE + 1, 1), (PIECE, 1), (PIECE + 1, 2), (8 * 2**20, 16)]
)
def test_a_small_body_needs_no_keys_of_its_own_and_a_large_one_as_many_as_it_has_pieces(length, pieces):
    assert len(EntryId.new("tag").grown(length).pieces) == pieces


def test_an_id_tells_where_everything_is_and_what_it_takes():
    entry_id = EntryId.new("tag").grown(100_000, 700)

    read = EntryId.parse(str(entry_id))

    assert read == entry_id
    assert read.length == 100_000
    assert read.size > 100_700


@pytest.mark.parametrize("text", ["", "0" * 32, "a.b.c", "a.b.1.x", "a.b.1.2.3"])
def test_what_is_no_id_is_not_taken_for_one(text):
    assert EntryId.parse(text) is None
