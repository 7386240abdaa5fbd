import contextlib

import pytest

from sluicegate.stores.cache.disk.database import connect
from sluicegate.stores.cache.disk.eviction import delete, evict, low_mark
from sluicegate.stores.cache.disk.schema import migrate


@pytest.fixture
def db(tmp_path):
    with contextlib.closing(connect(tmp_path / "x.db")) as made:
        migrate(made, now=0.0)
        yield made


def fill(db, *rows):
    """Rows of id, size, used, filed."""
    for entry_id, size, used, filed in rows:
        db.execute(
            "INSERT INTO entry VALUES (?, x'61', ?, 0, x'', 0, 0, 0, ?, ?, ?, ?, NULL)",
            (entry_id, entry_id * 10, size, filed, size, used),
        )
        if not filed:
            db.execute("INSERT INTO body VALUES (?, 'x')", (entry_id,))


def left(db):
    return [entry_id for (entry_id,) in db.execute("SELECT id FROM entry ORDER BY id")]


def test_the_least_recently_used_go_until_there_is_room(db):
    fill(db, (1, 100, 50, False), (2, 100, 10, True), (3, 100, 30, False), (4, 100, 40, False))

    victims = evict(db, 150)

    assert (victims.ids, victims.crcs, victims.filed, victims.size) == ([2, 3], [20, 30], [2], 200)
    assert left(db) == [1, 4]
    assert db.execute("SELECT id FROM body ORDER BY id").fetchall() == [(1,), (4,)]


def test_of_those_used_at_the_same_time_the_oldest_goes(db):
    fill(db, (2, 100, 10, False), (1, 100, 10, False))

    assert evict(db, 1).ids == [1]


def test_no_more_than_a_step_goes_at_once(db):
    fill(db, *[(number, 1, number, False) for number in range(1, 11)])

    assert evict(db, 10**9, at_most=4).ids == [1, 2, 3, 4]
    assert evict(db, 10**9, at_most=40).ids == [5, 6, 7, 8, 9, 10]
    assert evict(db, 10**9).ids == []


def test_deleting_takes_just_those(db):
    fill(db, *[(number, 1, number, False) for number in range(1, 11)])

    delete(db, [])
    delete(db, [3, 5, 7])

    assert left(db) == [1, 2, 4, 6, 8, 9, 10]


def test_a_little_more_than_needed_is_made_free():
    assert low_mark(1000) == 970
