from dataclasses import replace

from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.upkeep.reading import Verdict, is_there, read_through
from support.stored import Kept, listing, put

KEY = "http://a.example/"


async def kept() -> tuple:
    store = MemoryCacheStore()
    await put(store, Kept(KEY, body=b"hello"))
    return store, (await listing(store))[KEY]


async def test_a_body_that_is_as_it_was_stored_is_sound_and_given_on():
    store, listed = await kept()
    taken = []

    assert await read_through(store, listed, taken.append) == (Verdict.SOUND, "")
    assert b"".join(taken) == b"hello"


async def test_without_a_digest_only_the_length_is_known():
    store, listed = await kept()

    assert await read_through(store, replace(listed, digest=None)) == (Verdict.UNPROVEN, "")


async def test_another_digest_or_length_is_damage():
    store, listed = await kept()
    longer = replace(listed, entry=replace(listed.entry, body_length=6))

    for wrong in (replace(listed, digest=bytes(16)), longer, replace(longer, digest=None)):
        verdict, problem = await read_through(store, wrong)
        assert verdict is Verdict.DAMAGED
        assert problem


async def test_what_was_removed_meanwhile_is_gone_and_not_damaged():
    store, listed = await kept()
    assert await is_there(store, listed)

    await store.remove(listed.entry.id)

    assert await read_through(store, listed) == (Verdict.GONE, "")
