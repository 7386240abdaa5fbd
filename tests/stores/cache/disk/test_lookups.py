import asyncio
import contextlib
import sqlite3
import threading

import pytest

from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.codec import dump_head
from sluicegate.stores.cache.disk.database import connect
from sluicegate.stores.cache.disk.lookups import Lookups, load, where_body_is
from sluicegate.stores.cache.disk.schema import migrate
from support.cache_entries import entry


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.db"
    with contextlib.closing(connect(path)) as db:
        migrate(db, now=0.0)
    return path


@pytest.fixture
def db(path):
    with contextlib.closing(connect(path)) as made:
        yield made


def insert(db, number, *, key=b"key", crc=5, mark=6, head=None, length=4, filed=False, body=b"body"):
    head = dump_head(entry()) if head is None else head
    db.execute(
        "INSERT INTO entry VALUES (?, ?, ?, ?, ?, 1.5, 2.5, 9, ?, ?, 0, 0, NULL)",
        (number, key, crc, mark, head, length, filed),
    )
    if not filed and length:
        db.execute("INSERT INTO body VALUES (?, ?)", (number, body))


def test_just_the_entries_of_that_key_are_loaded_with_small_bodies(db):
    insert(db, 1)
    insert(db, 2, length=0)
    insert(db, 3, filed=True, length=10**6)
    insert(db, 4, key=b"same hashes, other key")
    insert(db, 5, mark=7)

    found, damaged = load(db, b"key", 5, 6, bodies=True)

    assert [(one.entry.id, one.body, one.revision, one.entry.body_length) for one in found] == [
        ("1", b"body", 9, 4),
        ("2", b"", 9, 0),
        ("3", None, 9, 10**6),
    ]
    assert (found[0].entry.request_time, found[0].entry.response_time) == (1.5, 2.5)
    assert damaged == []


def test_bodies_are_left_where_they_are_when_there_are_many_or_nobody_wants_them(db):
    for number in range(1, 41):
        insert(db, number)

    for bodies in (True, False):
        found, _ = load(db, b"key", 5, 6, bodies=bodies)
        assert len(found) == 40
        assert {one.body for one in found} == {None}


def test_what_cannot_be_read_is_named_and_the_others_are_found(db):
    insert(db, 1)
    insert(db, 2, head=b"nonsense")
    insert(db, 3, length=5)

    found, damaged = load(db, b"key", 5, 6, bodies=True)

    assert [one.entry.id for one in found] == ["1"]
    assert damaged == [2, 3]


def test_where_a_body_is(db):
    insert(db, 1)
    insert(db, 2, length=0)
    insert(db, 3, filed=True, length=10**6)
    insert(db, 4, length=5)

    assert where_body_is(db, 1) == (4, b"body")
    assert where_body_is(db, 2) == (0, b"")
    assert where_body_is(db, 3) == (10**6, None)
    for number, why in ((4, "damaged"), (5, "gone")):
        with pytest.raises(CacheStoreError, match=why):
            where_body_is(db, number)


async def test_questions_are_answered_in_other_threads_and_errors_come_back(path):
    lookups = Lookups(path, asyncio.get_running_loop())

    answers = await asyncio.gather(*(lookups.ask(lambda db: db.execute("SELECT 7").fetchone()[0]) for _ in range(200)))
    thread = await lookups.ask(lambda db: threading.current_thread())

    assert answers == [7] * 200
    assert thread is not threading.current_thread()
    with pytest.raises(sqlite3.Error, match="nonsense"):
        await lookups.ask(lambda db: db.execute("SELECT nonsense"))
    await lookups.aclose()


async def test_who_is_cancelled_does_not_disturb_the_others(path):
    lookups = Lookups(path, asyncio.get_running_loop())
    asked = asyncio.get_running_loop().create_task(lookups.ask(lambda db: 1))
    await asyncio.sleep(0)
    asked.cancel()

    assert await lookups.ask(lambda db: 2) == 2
    await lookups.aclose()


async def test_what_was_asked_is_answered_before_it_closes_and_nothing_after(path):
    lookups = Lookups(path, asyncio.get_running_loop())
    asked = [asyncio.get_running_loop().create_task(lookups.ask(lambda db: 1)) for _ in range(50)]
    await asyncio.sleep(0)

    await lookups.aclose()
    await lookups.aclose()

    assert await asyncio.gather(*asked) == [1] * 50
    with pytest.raises(CacheStoreError, match="closed"):
        await lookups.ask(lambda db: 1)
