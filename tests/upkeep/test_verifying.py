"""On a real disk, whose files and rows are damaged by hand."""

import pytest

from sluicegate.upkeep.reading import Verdict
from sluicegate.upkeep.selection import Selection
from sluicegate.upkeep.verifying import verify
from support.cache_stores import MIB
from support.disk_store import body_files, database, opened, written
from support.stored import Kept, listing, put

EVERYTHING = Selection()
SMALL, LARGE, OTHER = "http://a.example/small", "http://a.example/large", "http://b.example/other"


@pytest.fixture
async def store(tmp_path):
    async with opened(tmp_path, repairs=False) as made:
        await put(made, Kept(SMALL), Kept(LARGE, body=b"x" * MIB), Kept(OTHER))
        await written(made)
        yield made


async def verdicts(store, selection: Selection = EVERYTHING, *, repair: bool = False) -> dict:
    return {one.listed.key: one.verdict async for one in verify(store, selection, 0.0, repair=repair)}


def damage_row(tmp_path) -> None:
    with database(tmp_path) as db:
        db.execute(
            "UPDATE body SET data = x'00000000' WHERE id = (SELECT id FROM entry WHERE key = ?)", (SMALL.encode(),)
        )


async def test_what_is_whole_is_sound(store):
    assert await verdicts(store) == dict.fromkeys((SMALL, LARGE, OTHER), Verdict.SOUND)


async def test_a_changed_row_is_found_and_left(tmp_path):
    async with opened(tmp_path) as made:
        await put(made, Kept(SMALL), Kept(OTHER))
        await written(made)
    damage_row(tmp_path)
    async with opened(tmp_path, repairs=False) as store:
        assert await verdicts(store) == {SMALL: Verdict.DAMAGED, OTHER: Verdict.SOUND}
        assert set(await listing(store)) == {SMALL, OTHER}


@pytest.mark.parametrize("change", ["flip", "cut", "remove"])
async def test_a_damaged_file_is_found_left_and_removed_on_request(store, tmp_path, change):
    [file] = body_files(tmp_path)
    if change == "flip":
        with file.open("r+b") as opened_file:
            opened_file.seek(MIB // 2)
            opened_file.write(b"y")
    elif change == "cut":
        with file.open("r+b") as opened_file:
            opened_file.truncate(MIB - 1)
    else:
        file.unlink()

    expected = {SMALL: Verdict.SOUND, LARGE: Verdict.DAMAGED, OTHER: Verdict.SOUND}
    assert await verdicts(store) == expected
    assert await verdicts(store, repair=True) == expected
    assert set(await listing(store)) == {SMALL, OTHER}


async def test_only_what_is_meant_is_read(store, tmp_path):
    body_files(tmp_path)[0].unlink()

    assert await verdicts(store, Selection(host="b.example"), repair=True) == {OTHER: Verdict.SOUND}
    assert LARGE in await listing(store)


async def test_what_an_older_version_stored_is_unproven(store, tmp_path):
    with database(tmp_path) as db:
        db.execute("UPDATE entry SET digest = NULL")

    assert set((await verdicts(store)).values()) == {Verdict.UNPROVEN}


async def test_more_than_are_read_at_once_are_all_read(tmp_path):
    async with opened(tmp_path) as store:
        await put(store, *(Kept(f"http://a.example/{number}") for number in range(50)))

        assert len(await verdicts(store)) == 50


async def test_the_proxy_itself_removes_what_it_finds_damaged(tmp_path):
    async with opened(tmp_path) as store:
        await put(store, Kept(LARGE, body=b"x" * MIB))
        await written(store)
        body_files(tmp_path)[0].unlink()

        await verdicts(store)
        await written(store)

        assert await listing(store) == {}
