import sqlite3

from sluicegate.stores.cache.disk.ids import BLOCK, Ids
from sluicegate.stores.cache.disk.schema import migrate


def test_two_processes_and_two_databases_never_give_the_same_number():
    given = []
    for generation in (5, 6):
        db = sqlite3.connect(":memory:", isolation_level=None)
        migrate(db, now=0.0)
        one, other = Ids(generation), Ids(generation)
        for ids in (one, other, one):
            ids.refill(db)
        given += [one.take() for _ in range(BLOCK + 5)] + [other.take() for _ in range(5)]

    assert len(set(given)) == len(given)
    assert all(0 < number < 2**63 for number in given)


def test_numbers_grow_within_a_process_and_run_out_until_the_next_block():
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db, now=0.0)
    ids = Ids(1)
    assert ids.take() == 0
    assert ids.low
    ids.refill(db)
    assert not ids.low

    given = [ids.take() for _ in range(BLOCK)]

    assert given == sorted(given)
    assert ids.low
    assert ids.take() == 0
