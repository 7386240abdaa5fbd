from dataclasses import replace

from sluicegate.core.caching.decisions import StaleOptions
from sluicegate.core.caching.facts import facts_of
from sluicegate.explain.stale import permissions
from support.cache_policy import NOW, OPTIONS, stored
from support.messages import request

SHORT = replace(OPTIONS, stale=StaleOptions(unreachable_s=300, answer_after_s=None))


def allowed(control, *, asked=None, options=SHORT, at=NOW):
    entry = stored(f'Cache-Control: {control}\nETag: "a"', at=NOW)
    found = permissions(asked or request(), facts_of(entry, options), options, at)
    return {one.occasion: (one.reason, one.up_to_s) for one in found}


def test_rfc9111_4_2_4_what_nothing_forbids_may_stand_in_for_an_origin_that_cannot_be_reached():
    assert allowed("max-age=60") == {
        "unreachable": ("stale-unreachable", 300),
        "limited": ("stale-limited", 300),
    }


def test_rfc5861_the_origin_says_for_how_long():
    found = allowed("max-age=60, stale-while-revalidate=20, stale-if-error=600")

    assert found["refresh"] == ("stale-while-revalidate", 20)
    assert found["error"] == ("stale-if-error", 600)
    assert found["unreachable"] == ("stale-if-error", 600)


def test_rfc9111_5_2_2_2_what_must_be_revalidated_is_never_used_stale():
    assert allowed("max-age=60, must-revalidate, stale-if-error=600") == {}
    assert allowed("no-cache") == {}


def test_what_is_over_is_not_allowed_any_more():
    control = "max-age=60, stale-while-revalidate=20"

    assert "refresh" in allowed(control, at=NOW + 79)
    assert "refresh" not in allowed(control, at=NOW + 80)


def test_the_clients_own_wishes_count():
    assert allowed("max-age=60", asked=request(headers="Cache-Control: no-cache")) == {}


def test_offline_is_the_only_occasion_when_it_is_so_and_has_no_end():
    assert allowed("max-age=60", options=replace(SHORT, offline=True)) == {"offline": ("offline", None)}


def test_an_occasion_that_is_switched_off_is_not_listed():
    slow = replace(OPTIONS, stale=StaleOptions(unreachable_s=300, answer_after_s=5.0, queue_s=2.0))

    assert {"slow", "queue"} <= set(allowed("max-age=60", options=slow))
    assert not {"slow", "queue"} & set(allowed("max-age=60"))
