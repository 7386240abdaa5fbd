import time

import pytest

from sluicegate.core.caching import hishel_machine
from sluicegate.core.caching.directives import cache_control
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.hishel_machine import Ask, Question, Use, Verdict, View
from support.messages import request, response

GET = Question("GET", "http://example.com/a")
LONG_AGO = 1_000_000_000.0


def view(headers: str = 'ETag: "a"', *, age: int = 0, lifetime: int = 60, no_cache: bool = False) -> View:
    return View(StoredEntry("id", request(), response(headers), 0, 0), age, lifetime, no_cache)


def select(*views: View) -> Use | Ask:
    return hishel_machine.select(GET, views, shared=True, now=LONG_AGO)


def answered(state: object, headers: str, status: int) -> Verdict:
    head = response(headers, status=status)
    return hishel_machine.answer(state, head, cache_control(head.fields))


def test_the_time_given_counts_and_not_the_machines():
    assert isinstance(select(view(age=59)), Use)
    assert isinstance(select(view(age=60)), Ask)
    assert time.time() > LONG_AGO + 60


def test_the_youngest_of_the_usable_entries_is_used():
    older, younger = view(age=20), view(age=10)

    assert select(older, younger) == Use(younger)


def test_candidates_come_best_first_and_verdicts_name_the_positions_shown():
    older, younger = view('ETag: "old"', age=90), view('ETag: "new"', age=80)

    asked = select(older, younger)

    assert isinstance(asked, Ask)
    assert asked.candidates == [younger.entry, older.entry]
    assert answered(asked.state, 'ETag: "old"', 304) == Verdict(update=(0,), remove=(1,))


def test_a_304_that_matches_nothing_asks_again():
    asked = select(view(age=90))

    assert isinstance(asked, Ask)
    assert answered(asked.state, 'ETag: "other"', 304) == Verdict(again=True, remove=(0,))


def test_rfc9111_4_4_an_unsafe_method_that_succeeds_removes_what_was_shown():
    shown = [view().entry, view().entry]
    post = Question("POST", "http://example.com/a")

    assert answered(hishel_machine.miss(post, shown, shared=True), "", 204).remove == (0, 1)
    assert answered(hishel_machine.miss(post, shown, shared=True), "", 500).remove == ()


def test_unquoted_lists_of_field_names_do_not_hide_what_follows():
    state = hishel_machine.miss(GET, (), shared=True)

    assert not answered(state, "Cache-Control: no-cache=Foo,no-store,max-age=60", 200).storable


def test_only_a_state_that_waits_takes_a_response():
    with pytest.raises(TypeError):
        hishel_machine.answer("nothing", response(), cache_control([]))
