import time

import pytest

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.control import control_of
from sluicegate.core.caching.validation import hishel_machine
from sluicegate.core.caching.validation.hishel_machine import Ask, Question, Verdict, View
from support.messages import request, response

GET = Question("GET", "http://example.com/a")
LONG_AGO = 1_000_000_000.0


def view(headers: str = 'ETag: "a"', *, age: int = 0, lifetime: int = 60, no_cache: bool = False) -> View:
    return View(StoredEntry("id", request(), response(headers), 0, 0), age, lifetime, no_cache)


def asked_about(*views: View) -> Ask:
    return hishel_machine.validation(GET, views, shared=True, now=LONG_AGO)


def answered(state: object, headers: str, status: int) -> Verdict:
    head = response(headers, status=status)
    return hishel_machine.answer(state, head, control_of(head, ()))


def test_an_entry_is_usable_until_its_lifetime_is_over_or_when_it_need_not_be_asked_about():
    assert view(age=59).usable
    assert not view(age=60).usable
    assert not view(age=0, no_cache=True).usable


def test_the_time_given_counts_and_not_the_machines():
    assert asked_about(view(age=60)).candidates != []
    assert time.time() > LONG_AGO + 60


def test_candidates_come_best_first_and_verdicts_name_the_positions_shown():
    older, younger = view('ETag: "old"', age=90), view('ETag: "new"', age=80)

    asked = asked_about(older, younger)

    assert asked.candidates == [younger.entry, older.entry]
    assert answered(asked.state, 'ETag: "old"', 304) == Verdict(update=(0,), remove=(1,))


def test_a_304_that_matches_nothing_asks_again():
    asked = asked_about(view(age=90))

    assert answered(asked.state, 'ETag: "other"', 304) == Verdict(again=True, remove=(0,))


def test_rfc9111_4_4_an_unsafe_method_that_succeeds_removes_what_was_shown():
    shown = [view().entry, view().entry]
    post = Question("POST", "http://example.com/a")

    assert answered(hishel_machine.miss(post, shown, shared=True), "", 204).remove == (0, 1)
    assert answered(hishel_machine.miss(post, shown, shared=True), "", 500).remove == ()


def test_only_a_state_that_waits_takes_a_response():
    with pytest.raises(TypeError):
        hishel_machine.answer("nothing", response(), control_of(response(), ()))


def test_rfc9111_4_3_4_a_weak_tag_in_a_304_names_the_most_recent_response_with_that_tag():
    asked = asked_about(view('ETag: W/"a"', age=90), view('ETag: "a"', age=80), view('ETag: "b"', age=70))

    assert answered(asked.state, 'ETag: W/"a"', 304) == Verdict(update=(1,))


def test_a_weak_tag_that_nothing_stored_has_asks_again():
    asked = asked_about(view('ETag: "a"', age=90))

    assert answered(asked.state, 'ETag: W/"other"', 304) == Verdict(again=True, remove=(0,))


def test_a_weak_tag_speaks_against_nothing_that_has_none():
    asked = asked_about(view("Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT", age=90))

    assert answered(asked.state, 'ETag: W/"a"', 304) == Verdict(update=(0,))


def test_an_error_says_nothing_of_what_is_stored():
    asked = asked_about(view('ETag: "a"', age=90), view('ETag: "b"', age=80))

    assert answered(asked.state, "", 503) == Verdict()
