from dataclasses import replace

from sluicegate.stores.cache_shelves import Held, Shelf, Shelves
from support.cache_entries import entry


def held(name: str, key: str = "key", *, size: int = 10_000, pending: int = 0) -> Held:
    return Held(key, replace(entry(), id=name), b"x" * size, pending=pending)


def add(shelves: Shelves, *many: Held) -> None:
    for one in many:
        shelves.add(one, look_again_at=60.0)


def test_entries_of_one_key_share_a_shelf_and_are_found_by_id():
    shelves = Shelves(100_000)
    first, second = held("1"), held("2")
    add(shelves, first, second)

    assert shelves.shelf("key").held == [first, second]
    assert shelves.shelf("key").look_again_at == 60.0
    assert shelves.find("2") is second
    assert shelves.used == first.size + second.size


def test_removing_gives_back_the_memory_and_the_last_takes_the_shelf_with_it():
    shelves = Shelves(100_000)
    first, second = held("1"), held("2")
    add(shelves, first, second)

    shelves.remove(first)
    shelves.remove(first)
    assert (shelves.find("1"), shelves.used) == (None, second.size)
    shelves.remove(second)
    assert (shelves.shelf("key"), shelves.used) == (None, 0)


def test_a_shelf_put_up_replaces_what_was_there():
    shelves = Shelves(100_000)
    add(shelves, held("1"))
    new = held("2")

    shelves.put_up("key", Shelf([new], "version"))

    assert shelves.find("1") is None
    assert shelves.shelf("key").version == "version"
    assert shelves.used == new.size


def test_the_least_recently_used_shelf_makes_room():
    shelves = Shelves(35_000)
    add(shelves, held("1", "a"), held("2", "b"))
    shelves.shelf("a")

    add(shelves, held("3", "c"))

    assert [shelves.find(name) is not None for name in "123"] == [True, False, True]
    assert shelves.used <= 35_000


def test_what_is_pending_makes_no_room():
    shelves = Shelves(35_000)
    waiting = [held(name, name, pending=1) for name in "1234"]
    add(shelves, *waiting)
    assert shelves.pending() == waiting

    for one in waiting:
        one.pending = 0
    shelves.weigh("4")
    assert shelves.used <= 35_000
    assert shelves.find("4") is not None


def test_a_body_that_is_read_later_counts_once_it_is_weighed():
    shelves = Shelves(100_000)
    late = held("1", size=0)
    add(shelves, late)
    before = shelves.used

    late.body = b"x" * 5000
    shelves.weigh("key")

    assert shelves.used == before + 5000
