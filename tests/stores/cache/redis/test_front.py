from dataclasses import replace

from sluicegate.stores.cache.redis.front import Front, Held
from support.cache_entries import entry


def held(entry_id: str, body: bytes | None = None) -> Held:
    return Held(replace(entry(), id=entry_id), b"head", body)


def fill(front: Front, key: str, *entries: Held) -> None:
    ticket = front.ask(f"tag of {key}")
    front.keep(key, list(entries), ticket)
    front.answered(ticket)


def front_of(max_size: int = 1_000_000) -> Front:
    return Front(max_size=max_size, max_body=10_000)


def test_what_was_asked_for_is_there_until_it_changes():
    front, one = front_of(), held("1")
    fill(front, "a", one)
    assert front.current("a").held == [one]
    assert front.find("1") is one

    front.changed("tag of a")

    assert front.current("a") is None
    assert front.find("1") is None
    assert front.known("a") == {"1": one}


def test_an_answer_that_a_change_overtook_is_not_kept():
    front = front_of()
    ticket = front.ask("tag of a")

    front.changed("tag of a")
    front.keep("a", [held("1")], ticket)
    front.answered(ticket)

    assert front.current("a") is None
    fill(front, "a", held("2"))
    assert front.find("2")


def test_an_answer_that_was_on_its_way_when_messages_may_have_been_missed_is_not_kept():
    front = front_of()
    fill(front, "b", held("2"))
    ticket = front.ask("tag of a")

    front.all_changed()
    front.keep("a", [held("1")], ticket)
    front.answered(ticket)

    assert front.current("a") is None
    assert front.current("b") is None


def test_a_change_of_something_else_disturbs_nothing():
    front = front_of()
    ticket = front.ask("tag of a")
    front.changed("tag of b")
    front.keep("a", [held("1")], ticket)
    front.answered(ticket)

    assert front.current("a")


def test_the_least_recently_used_goes_first():
    front = front_of(30_000)
    for key in "abc":
        fill(front, key, held(key, b"x" * 7000))
    front.current("a")

    fill(front, "d", held("d", b"x" * 7000))

    assert [front.current(key) is not None for key in "abcd"] == [True, False, True, True]
    assert front.find("b") is None


def test_bodies_count_and_large_ones_are_not_kept():
    front = front_of(30_000)
    for key in "abcd":
        fill(front, key, held(key))
    front.keep_body("a", b"x" * 10_001)
    front.keep_body("nobody", b"x")
    assert front.find("a").body is None

    for key in "abcd":
        front.keep_body(key, b"x" * 9000)

    assert [front.current(key) is not None for key in "abcd"] == [False, False, True, True]


def test_what_is_larger_than_everything_is_not_kept():
    front = front_of(1000)
    fill(front, "a", held("1"))

    assert front.current("a") is None


def test_nothing_found_is_nothing_kept():
    front = front_of()
    fill(front, "a", held("1"))
    fill(front, "a")

    assert front.current("a") is None
    assert front.find("1") is None
