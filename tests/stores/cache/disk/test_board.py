import os
from zlib import crc32

import pytest

from sluicegate.stores.cache.disk.board import CHANGING, MAX_BITS, MIN_BITS, OCCUPIED, bits_for, open_board

GIB = 2**30


@pytest.fixture
def path(tmp_path):
    return tmp_path / "board"


def opened(path, *, boot="this boot", generation=1, max_size=GIB):
    return open_board(path, boot=boot, generation=generation, max_size=max_size)


def test_all_who_open_it_see_what_one_writes(path):
    one, made = opened(path)
    other, made_again = opened(path, max_size=100 * GIB)
    place = one.place(0xDEADBEEF)
    assert (made, made_again) == (True, False)
    assert other.place(0xDEADBEEF) == place

    one.slots[place] = 77
    one.set_filled()

    assert other.slots[place] == 77
    assert other.filled
    one.close()
    other.close()


@pytest.mark.parametrize("change", [{"boot": "another boot"}, {"generation": 2}])
def test_another_boot_or_database_begins_a_new_board_and_the_old_one_is_noticed(path, change):
    old, _ = opened(path)
    old.slots[old.place(5)] = 99
    old.set_filled()

    new, made = opened(path, **change)

    assert made
    assert not new.filled
    assert new.slots[new.place(5)] == 0
    assert not old.in_place
    assert new.in_place
    assert old.slots[old.place(5)] == 99  # still mapped, harmless
    old.close()
    new.close()


@pytest.mark.parametrize(
    "damage",
    [lambda path: os.truncate(path, 5000), lambda path: path.write_bytes(b"x" * 10_000), lambda path: path.unlink()],
)
def test_a_board_that_is_short_or_something_else_or_gone_is_replaced(path, damage):
    opened(path)[0].close()
    damage(path)

    board, made = opened(path)

    assert made
    assert sum(board.slots[board.place(0) : board.place(0xFFFFFFFF) + 1]) == 0
    board.close()


def test_its_space_is_taken_at_once_and_it_is_private(path):
    board, _ = opened(path)

    found = path.stat()
    assert found.st_blocks * 512 >= found.st_size
    assert found.st_mode & 0o777 == 0o600
    board.close()


def test_places_are_ranges_of_hashes(path):
    board, _ = opened(path)
    for crc in (0, 1, 12345, 0x7FFFFFFF, 0xFFFFFFFF):
        first, last = board.range_of(board.place(crc))
        assert first <= crc <= last
        assert board.place(first) == board.place(last) == board.place(crc)
        assert last == 0xFFFFFFFF or board.place(last + 1) == board.place(crc) + 1
    assert board.place(0xFFFFFFFF) == len(board.slots) - 1 - 2 * 2**16  # the marks come after the slots
    board.close()


def test_each_change_ends_with_a_value_that_was_not_there_before(path):
    board, _ = opened(path)
    place = board.place(7)
    seen = {board.slots[place]}
    for number in range(100):
        flux = board.in_flux(place)
        assert flux & CHANGING
        assert flux & OCCUPIED == board.slots[place] & OCCUPIED
        board.slots[place] = flux
        value = board.settled(flux, occupied=number % 3 == 0)
        assert not value & CHANGING
        assert bool(value & OCCUPIED) == (number % 3 == 0)
        assert not {flux, value} & seen
        seen |= {flux, value}
        board.slots[place] = value
    board.close()


def test_the_counter_comes_round_and_fits(path):
    board, _ = opened(path)
    place = board.place(7)
    board.slots[place] = 0xFFFFFFFE

    board.slots[place] = flux = board.in_flux(place)
    board.slots[place] = board.settled(flux, occupied=True)

    assert board.slots[place] & 3 == OCCUPIED
    board.close()


def test_filling_marks_what_is_there_and_changes_nothing_that_is_marked(path):
    board, _ = opened(path)
    board.slots[board.place(1 << 31)] = 100 | OCCUPIED

    board.fill([0, 1 << 31, 0xFFFFFFFF])

    assert board.slots[board.place(0)] == OCCUPIED
    assert board.slots[board.place(1 << 31)] == 100 | OCCUPIED
    assert board.slots[board.place(0xFFFFFFFF)] == OCCUPIED
    assert board.slots[board.place(1 << 30)] == 0
    board.close()


@pytest.mark.parametrize(
    ("max_size", "free", "bits"),
    [(10 * GIB, 100 * GIB, MAX_BITS), (10 * GIB, 4 * 2**20, 15), (2**20, GIB, MIN_BITS), (0, 0, MIN_BITS)],
)
def test_it_is_as_large_as_the_cache_and_the_disk_call_for(max_size, free, bits):
    assert bits_for(max_size, free) == bits


def test_all_see_that_a_key_was_invalidated_and_no_others(path):
    one, _ = opened(path)
    other, _ = opened(path)
    slots = list(one.slots[1024 : one.place(0xFFFFFFFF) + 1])
    before, elsewhere = one.mark(0xDEADBEEF), one.mark(0x0000BEEF)

    assert not one.outdated(0xDEADBEEF, before)
    other.change_mark(0xDEADBEEF)
    assert one.outdated(0xDEADBEEF, before)
    now = one.mark(0xDEADBEEF)
    other.change_mark(0xDEADBEEF)

    assert one.outdated(0xDEADBEEF, now)
    assert not one.outdated(0xDEADBEEF, None)
    assert not one.outdated(0x0000BEEF, elsewhere)
    assert list(one.slots[1024 : one.place(0xFFFFFFFF) + 1]) == slots
    one.close()
    other.close()


def test_invalidating_many_keys_outdates_hardly_any_other(path):
    board, _ = opened(path)
    before = {crc: board.mark(crc) for crc in range(0, 2**32, 2**32 // 1000)}
    for number in range(1000):
        board.change_mark(crc32(b"%d" % number))

    assert sum(board.outdated(crc, since) for crc, since in before.items()) <= 2
    board.close()


@pytest.mark.parametrize("crc", [0, 0xFFFFFFFF])
def test_marks_lie_behind_the_slots(path, crc):
    board, _ = opened(path)
    board.change_mark(crc)
    board.close()

    again, made = opened(path)

    assert not made
    assert not any(again.slots[1024 : again.place(0xFFFFFFFF) + 1])
    again.close()
