import pytest

from sluicegate.core.caching.decisions import Forward, Reason, Revalidate
from sluicegate.core.caching.fields.control import Control
from sluicegate.core.caching.fields.directives import Directives
from sluicegate.core.caching.validation import validating
from sluicegate.core.caching.validation.hishel_machine import View
from sluicegate.core.caching.validation.validating import Learned
from sluicegate.core.http import get
from support.cache_policy import FRESH, NOW, OPTIONS, stored
from support.messages import request, response

NOTHING_SAID = Control(Directives())


def ask(*headers: str) -> Revalidate | Forward:
    entries = [stored(f"{FRESH}\n{one}", str(number)) for number, one in enumerate(headers)]
    views = [View(entry, age=100 + number, lifetime=60, no_cache=False) for number, entry in enumerate(entries)]
    return validating.ask(request(), views, lambda _entry: Reason.STALE, OPTIONS, NOW)


def learned(plan: Revalidate | Forward, headers: str = "", *, status: int = 304) -> Learned:
    return validating.learn(plan, response(headers, status=status), NOTHING_SAID, OPTIONS)


def test_the_best_that_can_be_asked_about_is_asked_about():
    plan = ask("Foo: 1", 'ETag: "a"', 'ETag: "b"')

    assert isinstance(plan, Revalidate)
    assert get(plan.request.fields, b"if-none-match") == b'"a"'
    assert [entry.id for entry in plan.candidates] == ["0", "1", "2"]


def test_without_a_validator_a_new_response_is_asked_for():
    plan = ask("Foo: 1")

    assert isinstance(plan, Forward)
    assert plan.request.fields == []


def test_rfc9111_4_3_4_a_304_confirms_what_has_the_same_strong_tag():
    found = learned(ask('ETag: "a"', 'ETag: "b"'), 'ETag: "b"')

    assert [entry.id for entry in found.updating] == ["1"]
    assert (found.removed, found.again) == (["0"], False)


def test_a_304_that_confirms_nothing_leads_to_another_request():
    assert learned(ask('ETag: "a"'), 'ETag: "b"').again


@pytest.mark.parametrize("status", [200, 404, 503])
def test_any_other_answer_confirms_nothing(status):
    assert learned(ask('ETag: "a"'), status=status).updating == []


@pytest.mark.parametrize(("method", "removed"), [("POST", ["0"]), ("GET", [])])
def test_rfc9111_4_4_an_unsafe_request_that_was_sent_on_invalidates(method, removed):
    plan = Forward(request(method=method), Reason.METHOD, [stored(FRESH, "0")])

    assert learned(plan, status=200).removed == removed
