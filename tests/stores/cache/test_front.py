from dataclasses import replace

import pytest

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.stores.cache.disk.board import CHANGING, OCCUPIED, open_board
from sluicegate.stores.cache.front import Front, Loaded
from support.messages import request, response

KEY = "http://example.com/a"
OTHER = "http://example.com/other"


def made(entry_id: str = "7", *, length: int = 1) -> StoredEntry:
    return StoredEntry(entry_id, request(), response("Date: x"), 0.0, 0.0, length)


@pytest.fixture
def board(tmp_path):
    board, _ = open_board(tmp_path / "board", boot="boot", generation=1, max_size=10**9)
    board.set_filled()
    yield board
    board.close()


@pytest.fixture
def front(board):
    return Front(board)


def change(board, front, key=KEY, *, occupied=True):
    """Another process changes something under a key."""
    place, _ = front.stamp_for(key)
    board.slots[place] = board.settled(board.in_flux(place), occupied=occupied)


def load(front, *entries, revision=1, key=KEY):
    _, stamp = front.stamp_for(key)
    return front.take(key, stamp, [Loaded(entry, revision, 100, b"x") for entry in entries])


def test_a_key_whose_slot_is_empty_is_certainly_absent(front):
    assert front.recall(KEY) == []


def test_nothing_is_certain_before_the_board_is_filled(tmp_path):
    board, _ = open_board(tmp_path / "new", boot="boot", generation=1, max_size=10**9)
    front = Front(board)
    assert front.recall(KEY) is None

    board.set_filled()

    assert front.recall(KEY) == []
    board.close()


@pytest.mark.parametrize("value", [OCCUPIED, CHANGING, OCCUPIED | CHANGING | 64])
def test_a_slot_with_something_in_it_or_under_way_has_to_be_looked_up(front, board, value):
    place, _ = front.stamp_for(KEY)
    board.slots[place] = value

    assert front.recall(KEY) is None


def test_what_was_loaded_is_recalled_as_the_same_objects_until_the_slot_changes(front, board):
    change(board, front)
    entry = made()
    assert load(front, entry) == [entry]
    assert front.recall(KEY)[0] is entry
    assert front.at_hand(entry) == b"x"

    change(board, front)

    assert front.recall(KEY) is None
    assert front.at_hand(entry) is None


def test_what_is_loaded_again_unchanged_stays_the_same_object_with_its_body(front, board):
    change(board, front)
    entry = made()
    load(front, entry)
    change(board, front)

    _, stamp = front.stamp_for(KEY)
    [again] = front.take(KEY, stamp, [Loaded(made(), 1, 100, None)])

    assert again is entry
    assert front.at_hand(entry) == b"x"


def test_a_head_that_another_process_changed_replaces_ours_and_keeps_the_body(front, board):
    change(board, front)
    load(front, made())
    change(board, front)

    _, stamp = front.stamp_for(KEY)
    fresh = replace(made(), response_time=9.0)
    [found] = front.take(KEY, stamp, [Loaded(fresh, 2, 100, None)])

    assert found is fresh
    assert front.at_hand(found) == b"x"


def test_what_changed_while_it_was_loaded_is_not_taken(front, board):
    _, stamp = front.stamp_for(KEY)
    change(board, front)

    assert front.take(KEY, stamp, [Loaded(made(), 1, 100)]) is None
    assert front.recall(KEY) is None


def test_what_is_being_changed_is_not_taken(front, board):
    place, _ = front.stamp_for(KEY)
    board.slots[place] = board.in_flux(place)

    assert front.take(KEY, board.slots[place], []) is None


def test_a_new_entry_is_there_at_once_and_survives_a_load_that_does_not_have_it(front, board):
    held = front.add(KEY, made("1"), b"x", 1, 100)
    assert front.recall(KEY) == [held.entry]
    change(board, front)
    assert front.recall(KEY) is None

    found = load(front, made("2"))

    assert {entry.id for entry in found} == {"1", "2"}
    front.settled(held, done=True)
    assert front.recall(KEY) is not None


def test_an_entry_that_could_not_be_written_is_forgotten(front):
    held = front.add(KEY, made("1"), b"x", 1, 100)

    front.settled(held, done=False)

    assert not front.recall(KEY)
    assert front.at_hand(held.entry) is None


def test_while_this_process_changes_the_slot_itself_the_shelf_stays_current(front, board):
    held = front.add(KEY, made("1"), b"x", 1, 100)
    place = held.shelf.place
    held.shelf.own = board.in_flux(place)
    board.slots[place] = held.shelf.own

    assert front.recall(KEY) == [held.entry]
    assert front.at_hand(held.entry) == b"x"


def test_a_freshened_head_is_there_at_once_and_is_not_undone_by_a_load(front, board):
    change(board, front)
    load(front, made(length=1))
    held = front.freshen(replace(made(), response_time=9.0, body_length=None), 2, 100)
    assert [(entry.response_time, entry.body_length) for entry in front.recall(KEY)] == [(9.0, 1)]
    change(board, front)

    assert [entry.response_time for entry in load(front, made())] == [9.0]
    front.settled(held, done=True)


def test_what_is_not_here_cannot_be_freshened_here(front):
    assert front.freshen(made(), 2, 100) is None


def test_a_removed_entry_is_hidden_from_then_on_whatever_the_disk_says(front, board):
    change(board, front)
    load(front, made("1"), made("2"))

    shelf = front.remove("1")

    assert [entry.id for entry in front.recall(KEY)] == ["2"]
    change(board, front)
    assert [entry.id for entry in load(front, made("1"), made("2"))] == ["2"]
    front.removed("1", shelf, done=False)
    change(board, front)
    assert [entry.id for entry in load(front, made("1"))] == []


def test_what_a_caller_does_with_its_list_changes_nothing(front, board):
    change(board, front)
    load(front, made()).clear()
    front.recall(KEY).clear()

    assert len(front.recall(KEY)) == 1


def test_uses_are_noted_once_a_minute(front, board):
    change(board, front)
    load(front, made("7"))
    assert front.uses() == [7]
    front.recall(KEY)
    assert front.uses() == []

    front.minute += 1
    front.recall(KEY)

    assert front.uses() == [7]


def test_a_body_is_kept_if_it_is_small_and_its_entry_is_here(board):
    front = Front(board, max_body=10)
    change(board, front)
    _, stamp = front.stamp_for(KEY)
    front.take(KEY, stamp, [Loaded(made("1"), 1, 100), Loaded(made("2"), 1, 100)])

    front.keep_body("1", b"0123456789")
    front.keep_body("2", b"01234567890")
    front.keep_body("3", b"x")

    assert front.at_hand(made("1")) == b"0123456789"
    assert front.at_hand(made("2")) is None
    assert front.at_hand(made("3")) is None
    assert front.knows(KEY)
    assert not front.knows(OTHER)


def test_any_text_may_be_a_key(front):
    assert front.recall("http://example.com/\udc80\ud800") == []
