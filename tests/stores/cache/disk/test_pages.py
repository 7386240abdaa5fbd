from sluicegate.core.caching.digests import digest_of
from sluicegate.stores.cache.disk import pages
from support.cache_entries import KEY
from support.cache_stores import Notices, keep
from support.disk_store import database, opened, written


async def listing(store) -> list:
    return [listed async for listed in store.listed()]


async def test_a_page_looks_at_no_more_than_its_rows_wanted_or_not(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "ROWS", 3)
    async with opened(tmp_path) as store:
        for number in range(7):
            await keep(store, b"x", key=f"http://a.example/{number}")
        await written(store)

        with database(tmp_path) as db:
            first = pages.page_after(db, 0, b"http://b")
            second = pages.page_after(db, first.last, b"http://a")
            third = pages.page_after(db, second.last, b"http://a")
            end = pages.page_after(db, third.last, b"http://a")

        assert first.listed == []
        assert [one.key for one in second.listed] == [f"http://a.example/{number}" for number in (3, 4, 5)]
        assert [one.key for one in third.listed] == ["http://a.example/6"]
        assert (end.last, end.listed) == (None, [])


async def test_an_entry_whose_head_is_damaged_is_not_listed_and_goes(tmp_path):
    async with opened(tmp_path) as store:
        await keep(store, b"x")
        await keep(store, b"y", key=KEY + "b")
        await written(store)
        with database(tmp_path) as db:
            db.execute("UPDATE entry SET head = x'00' WHERE key = ?", (KEY.encode(),))

        assert [one.key for one in await listing(store)] == [KEY + "b"]
        await written(store)
        with database(tmp_path) as db:
            assert db.execute("SELECT count(*) FROM entry").fetchone() == (1,)


async def test_who_only_looks_is_told_of_it_and_leaves_it(tmp_path):
    notices = Notices()
    async with opened(tmp_path) as store:
        await keep(store, b"x")
        await written(store)
    with database(tmp_path) as db:
        db.execute("UPDATE entry SET head = x'00'")

    async with opened(tmp_path, repairs=False, events=notices) as store:
        assert await listing(store) == []
    assert notices.names == ["cache_entry_lost"]
    with database(tmp_path) as db:
        assert db.execute("SELECT count(*) FROM entry").fetchone() == (1,)


async def test_what_waits_to_be_written_is_listed(tmp_path):
    async with opened(tmp_path) as store:
        await keep(store, b"x")

        assert [one.digest for one in await listing(store)] == [digest_of(b"x")]
