import contextlib
import os

import pytest

from sluicegate.clock import ManualClock
from sluicegate.stores.cache.disk.board import open_board
from sluicegate.stores.cache.disk.bodies import BodyFiles
from sluicegate.stores.cache.disk.changes import (
    Abandon,
    Bound,
    Freshen,
    Ground,
    Put,
    Remove,
    Reserve,
    Resize,
    Settle,
    Sweep,
    Totals,
    Touch,
    Transaction,
    entry_size,
    read_totals,
)
from sluicegate.stores.cache.disk.database import connect
from sluicegate.stores.cache.disk.ids import Ids
from sluicegate.stores.cache.disk.owners import Owners
from sluicegate.stores.cache.disk.schema import migrate
from sluicegate.stores.cache.shelves import Shelf

MIB = 2**20


@pytest.fixture
def ground(tmp_path):
    with contextlib.ExitStack() as stack:
        db = stack.enter_context(contextlib.closing(connect(tmp_path / "x.db")))
        migrate(db, now=0.0)
        board, _ = open_board(tmp_path / "board", boot="", generation=1, max_size=MIB)
        stack.enter_context(contextlib.closing(board))
        owners = stack.enter_context(contextlib.closing(Owners(tmp_path / "owners")))
        used: list[int] = []
        made = Ground(db, board, BodyFiles(tmp_path, 1), owners, Ids(1), Bound(MIB), ManualClock(), lambda: used)
        yield made


def put(number, *, body=b"x", used=None, shelf=None, length=None):
    size = length if length is not None else len(body)
    key = b"key %d" % number
    return Put(number, key, number << 16, number, b"head", 1.0, 2.0, number, size, body, used or number, shelf)


def make(ground, *changes):
    ground.db.execute("BEGIN IMMEDIATE")
    transaction = Transaction(ground)
    transaction.make(changes)
    ground.db.execute("COMMIT")
    return transaction


def there(ground):
    return [number for (number,) in ground.db.execute("SELECT id FROM entry ORDER BY id")]


def reserved(ground, number, body):
    """A complete file that is reserved."""
    assert make(ground, Reserve(number, len(body))).results == [True]

    handle = ground.files.create(number)
    os.write(handle, body)
    os.close(handle)


def test_any_number_of_entries_is_put_in_and_counted(ground):
    transaction = make(ground, *[put(number, body=b"x" * (number % 3)) for number in range(1, 100)])

    assert transaction.results == [True] * 99
    assert there(ground) == list(range(1, 100))
    assert dict(ground.db.execute("SELECT id, data FROM body")) == {n: b"x" * (n % 3) for n in range(1, 100) if n % 3}
    assert read_totals(ground.db) == transaction.totals
    assert transaction.totals == Totals(99, sum(put(n, body=b"x" * (n % 3)).size for n in range(1, 100)), 0)


def test_changes_are_made_in_their_order(ground):
    transaction = make(
        ground, put(1), Remove(1), put(2), Freshen(2, b"new head", 3.0, 4.0, 9), Freshen(1, b"no", 0.0, 0.0, 9)
    )

    assert transaction.results[1:] == [True, True, True, False]
    rows = ground.db.execute("SELECT id, head, request_time, response_time, revision FROM entry").fetchall()
    assert rows == [(2, b"new head", 3.0, 4.0, 9)]
    assert transaction.totals.bytes == entry_size(5, 8, 1, filed=False)
    assert read_totals(ground.db) == transaction.totals


def test_what_is_removed_before_it_was_written_is_never_written(ground):
    reserved(ground, 7, b"y" * 5000)

    transaction = make(ground, put(1), put(7, body=None, length=5000), Remove(1), Remove(7))

    assert transaction.results == [False, True, True, True]
    assert there(ground) == []
    assert transaction.doomed == [7]
    assert transaction.totals == Totals()
    assert transaction.places() == {ground.board.place(7 << 16): False}


def test_a_file_becomes_an_entry_only_if_it_is_reserved(ground):
    reserved(ground, 7, b"y" * 5000)
    assert read_totals(ground.db) == Totals(0, 0, 5000)

    transaction = make(ground, put(7, body=None, length=5000), put(8, body=None, length=5000))

    assert transaction.results == [True, False]
    assert there(ground) == [7]
    assert transaction.totals.reserved == 0
    assert transaction.totals.bytes >= 8192


def test_abandoning_deletes_the_file_but_not_one_that_has_become_an_entry(ground):
    reserved(ground, 7, b"y")
    reserved(ground, 8, b"y")
    make(ground, put(8, body=None, length=1))

    make(ground, Abandon([7, 8]))

    assert ground.files.ids() == [8]
    assert ground.db.execute("SELECT count(*) FROM loose").fetchone() == (0,)


def test_a_removed_file_keeps_a_row_until_it_is_deleted(ground):
    reserved(ground, 7, b"y")
    make(ground, put(7, body=None, length=1))

    transaction = make(ground, Remove(7), Remove(7))

    assert transaction.doomed == [7]
    assert ground.db.execute("SELECT id, owner, bytes FROM loose").fetchall() == [(7, ground.owners.own, 0)]
    make(ground, Abandon([7]))
    assert ground.files.ids() == []
    assert ground.db.execute("SELECT count(*) FROM loose").fetchone() == (0,)


def test_the_least_recently_used_makes_room_and_the_bound_holds(ground):
    ground.bound.max_size = 10 * put(1).size
    make(ground, *[put(number) for number in range(1, 11)])

    transaction = make(ground, put(11), put(12))

    assert {11, 12} <= set(there(ground))
    assert not {1, 2} & set(there(ground))
    assert transaction.totals.bytes <= ground.bound.max_size
    assert read_totals(ground.db) == transaction.totals


def test_what_was_used_lately_is_known_before_anything_goes(ground):
    ground.bound.max_size = 10 * put(1).size
    make(ground, *[put(number) for number in range(1, 11)])
    ground.uses().extend([1, 2])

    make(ground, put(11, used=10**15), put(12, used=10**15))

    assert {1, 2, 11, 12} <= set(there(ground))
    assert 3 not in there(ground)


def test_touching_counts_as_a_use(ground):
    ground.bound.max_size = 10 * put(1).size
    make(ground, *[put(number) for number in range(1, 11)])

    make(ground, Touch([1]))
    make(ground, put(11, used=10**15))

    assert 1 in there(ground)
    assert 2 not in there(ground)


def test_once_begun_eviction_goes_on_to_the_low_mark_in_steps(ground):
    ground.bound.max_size = 1000 * put(1).size
    make(ground, *[put(number) for number in range(1, 1001)])

    make(ground, put(1001))
    while ground.bound.trimming:
        make(ground)

    assert 965 <= len(there(ground)) <= 970


def test_what_can_never_fit_is_refused_and_evicts_nothing(ground):
    make(ground, put(1))

    assert make(ground, Reserve(7, MIB + 1), put(2, body=b"x" * MIB)).results == [False, False]
    assert there(ground) == [1]


def test_what_does_not_fit_beside_what_is_reserved_is_refused(ground):
    make(ground, Reserve(7, MIB - 100))

    assert make(ground, put(1), Reserve(8, 101), Reserve(8, 100)).results == [False, False, True]
    assert read_totals(ground.db).reserved == MIB


def test_a_reservation_grows(ground):
    make(ground, Reserve(7, 1000))

    assert make(ground, Reserve(7, 5000)).totals.reserved == 5000


def test_room_for_something_large_is_made_in_steps(ground):
    ground.bound.max_size = 1000 * put(1).size
    make(ground, *[put(number) for number in range(1, 1001)])
    steps = 1
    while (result := make(ground, Reserve(5000, ground.bound.max_size)).results[0]) is None:
        steps += 1

    assert result is True
    assert steps > 1
    assert there(ground) == []


def test_a_smaller_bound_takes_effect_in_steps(ground):
    make(ground, *[put(number) for number in range(1, 1001)])
    bound = 100 * put(1).size
    while make(ground, Resize(bound)).results[0] is None:
        pass

    assert read_totals(ground.db).bytes <= bound
    assert 1000 in there(ground)


def test_places_on_the_board_tell_whether_something_is_left(ground):
    place, other = ground.board.place(1 << 16), ground.board.place(500 << 16)
    assert make(ground, put(1), put(500)).places() == {place: True, other: True}

    assert make(ground, Remove(1), Settle(other)).places() == {place: False, other: True}


def test_only_shelves_that_know_all_changes_of_their_slot_agree(ground):
    one, other = Shelf("1", ground.board.place(1 << 16)), Shelf("2", ground.board.place(2 << 22))
    transaction = make(ground, put(1, shelf=one), put(2 << 6, shelf=other), put(3 << 6, body=b"y"))
    assert transaction.agreeing() == [one, other]

    assert make(ground, Remove(1, one), Remove(2 << 6)).agreeing() == [one]


def test_what_the_dead_left_is_swept_and_what_the_living_write_is_not(ground, tmp_path):
    with contextlib.closing(Owners(tmp_path / "owners")) as alive:
        for number, owner in ((7, 999), (8, alive.own), (9, ground.owners.own)):
            reserved(ground, number, b"y")
            ground.db.execute("UPDATE loose SET owner = ? WHERE id = ?", (owner, number))

        make(ground, Sweep())

        assert sorted(ground.files.ids()) == [8, 9]
        assert ground.db.execute("SELECT id FROM loose ORDER BY id").fetchall() == [(8,), (9,)]


def test_room_in_the_database_that_is_no_longer_needed_is_given_back(ground):
    make(ground, *[put(number, body=b"x" * 5000) for number in range(1, 150)])
    pages = ground.db.execute("PRAGMA page_count").fetchone()[0]

    make(ground, *[Remove(number) for number in range(1, 150)])

    assert ground.db.execute("PRAGMA page_count").fetchone()[0] < pages / 2


def test_sizes_are_those_on_disk_rounded_up():
    assert entry_size(10, 100, 1000, filed=False) > 1110
    assert entry_size(10, 100, 4097, filed=True) > 8192 + 110
    assert entry_size(10, 100, 0, filed=True) > 110
