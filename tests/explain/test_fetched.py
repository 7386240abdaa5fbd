from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.core.events import UpstreamAnswered
from sluicegate.explain.decision import view
from sluicegate.explain.fetched import Happened, fetched
from support.cache_policy import FRESH, NOW, OPTIONS, stored
from support.messages import request, response

AFTER = view(request(), [stored(FRESH)], RuleSet(OPTIONS), NOW)
EMPTY = view(request(), [], RuleSet(OPTIONS), NOW)


def happened(**members):
    base = {
        "head": response(f"{FRESH}\nSet-Cookie: secret=1\nVary: Foo"),
        "cache": "miss",
        "reason": "storable",
        "stored": True,
        "waited_s": 0.5,
        "total_s": 0.75,
        "body_bytes": 100,
        "error": "",
        "detail": "",
        "answered": UpstreamAnswered("1", "example.com", 200, 0.1, reused=False),
    }
    return Happened(**(base | members))


def test_what_was_stored_is_told_with_the_reason_and_what_the_origin_did():
    found = fetched(happened(), AFTER, max_entry_size=1000)

    assert (found.stored, found.not_stored, found.why.reason) == (True, None, "storable")
    assert (found.upstream_status, found.upstream_s, found.connection) == (200, 0.1, "new")
    assert found.after is AFTER


def test_of_the_answers_fields_those_are_shown_that_have_a_say_in_caching():
    assert fetched(happened(), AFTER, max_entry_size=1000).fields == ["Cache-Control: max-age=60", "Vary: Foo"]


def test_what_the_store_did_not_keep_is_told_with_the_bound_that_it_broke():
    large = fetched(happened(body_bytes=1001), EMPTY, max_entry_size=1000)
    broken = fetched(happened(), EMPTY, max_entry_size=1000)

    assert not large.stored
    assert "cache.max_entry_size" in large.not_stored
    assert "cache.max_entry_size" not in broken.not_stored


def test_what_was_not_to_be_stored_has_the_caches_own_reason():
    found = fetched(happened(stored=False, reason="no-store"), EMPTY, max_entry_size=1000)

    assert (found.stored, found.not_stored) == (False, None)
    assert "no-store" in found.why.text


def test_what_stands_in_for_an_answer_is_told_from_one():
    def of(reason, answered=None):
        done = happened(cache="stale", reason=reason, stored=False, answered=answered)
        return fetched(done, AFTER, max_entry_size=1000).unanswered

    broken = UpstreamAnswered("1", "example.com", 503, 0.1, reused=False)
    assert of("stale-unreachable")
    assert of("stale-if-error")
    assert not of("stale-if-error", broken)
    assert not of("stale-while-revalidate")


def test_without_an_answer_of_the_origin_there_is_an_error():
    found = fetched(
        happened(error="dns_error", detail="Nobody knows it.", reason="", stored=False, answered=None),
        None,
        max_entry_size=1,
    )

    assert found.unanswered
    assert (found.error, found.detail, found.upstream_status, found.why) == (
        "dns_error",
        "Nobody knows it.",
        None,
        None,
    )
