from sluicegate.core.caching.entry import StoredEntry
from sluicegate.stores.cache.front import DEFAULT_MAX_BYTES
from sluicegate.stores.cache.shelves import Held, Shelves, held_size
from support.messages import request, response


def held_on(shelf, entry_id, body=b""):
    entry = StoredEntry(entry_id, request(), response("Date: x"), 0.0, 0.0, len(body or b""))
    return Held(shelf, entry, body, 1, 100)


def shelves_of(count, *, max_bytes, body=b"x" * 1000):
    shelves = Shelves(max_bytes)
    for number in range(count):
        shelf = shelves.put_up(f"key {number}", number)
        shelves.arrange(shelf, [held_on(shelf, str(number), body)])
    return shelves


def test_the_least_recently_used_key_goes_when_there_is_too_much():
    one = shelves_of(1, max_bytes=10**6).used

    shelves = shelves_of(10, max_bytes=3 * one + 100)

    assert list(shelves.by_key) == ["key 7", "key 8", "key 9"]
    assert list(shelves.by_id) == ["7", "8", "9"]
    assert shelves.used <= 3 * one + 100


def test_a_shelf_that_is_put_up_again_counts_as_used():
    shelves = shelves_of(3, max_bytes=10**6)

    shelves.put_up("key 0", 0)

    assert list(shelves.by_key) == ["key 1", "key 2", "key 0"]


def test_what_is_nowhere_else_yet_stays_whatever_the_bound():
    shelves = Shelves(1)
    shelf = shelves.put_up("key", 0)
    shelf.pending = 1
    shelves.arrange(shelf, [held_on(shelf, "1")])
    assert list(shelves.by_id) == ["1"]

    shelf.pending = 0
    shelves.make_room()

    assert not shelves.by_id
    assert shelves.used == 0


def test_bodies_that_come_later_count():
    shelves = shelves_of(1, max_bytes=10**6, body=None)
    before = shelves.used
    [held] = shelves.by_id.values()

    held.body = b"x" * 5000
    shelves.weigh(held.shelf)

    assert shelves.used == before + 5000


def test_rearranging_forgets_what_is_no_longer_there_and_makes_another_list():
    shelves = shelves_of(1, max_bytes=10**6)
    shelf = shelves.by_key["key 0"]
    before = shelf.entries

    shelves.arrange(shelf, [held_on(shelf, "other")])

    assert list(shelves.by_id) == ["other"]
    assert [entry.id for entry in before] == ["0"]


def test_what_was_taken_down_weighs_nothing():
    shelves = shelves_of(2, max_bytes=10**6)
    for shelf in list(shelves.by_key.values()):
        shelves.take_down(shelf)
        shelves.take_down(shelf)
        shelves.weigh(shelf)

    assert shelves.used == 0
    assert not shelves.by_id


def test_ten_thousand_ordinary_small_entries_fit_into_the_memory_that_there_is():
    fields = "\n".join(f"Field-Name-{number}: a value of ordinary length" for number in range(12))
    shelves = Shelves(DEFAULT_MAX_BYTES)
    for number in range(10_000):
        shelf = shelves.put_up(f"http://example.com/some/path?{number}", number)
        entry = StoredEntry(str(number), request(), response(fields), 0.0, 0.0, 1024)
        shelves.begin(shelf, Held(shelf, entry, bytes(1024), 1, 700))

    assert len(shelves.by_key) == 10_000


def test_the_first_entry_on_a_shelf_weighs_what_it_does_among_others():
    shelves = shelves_of(1, max_bytes=10**6, body=b"x" * 1000)
    before = shelves.used
    shelf = shelves.put_up("key 1", 1)

    shelves.begin(shelf, held_on(shelf, "1", body=b"x" * 1000))

    assert shelves.used == 2 * before
    assert shelves.by_id["1"].entry is shelf.entries[0]
    shelves.weigh(shelf)
    assert shelves.used == 2 * before
    shelves.take_down(shelf)
    assert shelves.used == before


def test_the_weight_of_an_entry_leaves_room_for_what_is_hung_on_it():
    entry = StoredEntry("1", request(), response("Date: x\nA: b"), 0.0, 0.0, 0)

    assert held_size(entry, 1000) >= 1.5 * 1000
