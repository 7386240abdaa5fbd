from sluicegate.stores.cache.marks import Marks


def test_an_invalidation_marks_its_key_and_no_other():
    marks = Marks()
    before = {f"/{number}": marks.of(f"/{number}") for number in range(1000)}

    marks.change("/7")

    assert [key for key, mark in before.items() if marks.of(key) != mark] == ["/7"]


def test_each_invalidation_is_another_mark():
    marks = Marks()
    seen = set()
    for _ in range(3):
        marks.change("/")
        seen.add(marks.of("/"))

    assert len(seen) == 3


def test_what_is_forgotten_is_taken_for_invalidated():
    marks = Marks()
    marks.change("/")
    before = marks.of("/")

    for number in range(100_000):
        marks.change(f"/{number}")

    assert marks.of("/") > before
    assert len(marks._newer) + len(marks._older) < 40_000


def test_all_can_be_invalidated_at_once():
    marks = Marks()
    marks.change("/seen")
    before = {key: marks.of(key) for key in ("/seen", "/unseen")}

    marks.change_all()

    assert all(marks.of(key) != mark for key, mark in before.items())
