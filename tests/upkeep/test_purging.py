import pytest

from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.upkeep import purging
from sluicegate.upkeep.selection import Selection
from support.disk_store import database, opened, written
from support.stored import Kept, listing, put


@pytest.mark.parametrize("at_once", [1, 3, 256])
async def test_just_what_is_meant_goes_and_is_counted(monkeypatch, at_once):
    monkeypatch.setattr(purging, "_AT_ONCE", at_once)
    store = MemoryCacheStore()
    await put(store, *(Kept(f"http://{host}.example/{number}") for host in "ab" for number in range(10)))

    assert await purging.purge(store, Selection(host="a.example"), 0.0) == 10
    assert {listed.entry.request.origin.host for listed in (await listing(store)).values()} == {"b.example"}
    assert await purging.purge(store, Selection(), 0.0) == 10
    assert await purging.purge(store, Selection(), 0.0) == 0


async def test_what_the_store_cannot_remove_does_not_count_as_removed(tmp_path):
    async with opened(tmp_path) as store:
        await put(store, Kept("http://a.example/"))
        await written(store)
        with database(tmp_path) as db:
            db.execute("CREATE TRIGGER full BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")

        with pytest.raises(CacheStoreError, match="1 of 1"):
            await purging.purge(store, Selection(), 0.0)


async def test_what_is_on_its_way_for_the_url_is_not_kept_either(tmp_path):
    async with opened(tmp_path) as store:
        since = store.moment("http://a.example/")

        await purging.purge(store, Selection(url="HTTP://a.example"), 0.0)

        assert store.moment("http://a.example/") != since
