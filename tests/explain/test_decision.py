from dataclasses import replace

import pytest

from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.caching.rules.rule_set import Rule, RuleSet
from sluicegate.explain.decision import RuleView, view
from support.cache_policy import FRESH, NOW, OPTIONS, stored
from support.messages import request

RULES = RuleSet(OPTIONS)
TAGGED = f'{FRESH}\nETag: "a"'


def explained(asked, *entries, at=NOW, rules=RULES):
    return view(asked, list(entries), rules, at)


def test_nothing_stored_is_forwarded():
    found = explained(request())

    assert (found.key, found.stored) == ("http://example.com/a", [])
    assert (found.decision.action, found.decision.why.reason) == ("forward", "uri-miss")
    assert found.decision.cache_status == "Sluicegate; fwd=uri-miss"
    assert (found.later, found.refuses_to_store) == (None, None)


def test_rfc9111_4_2_a_hit_tells_for_how_long_and_what_comes_after():
    found = explained(request(), stored(TAGGED), at=NOW + 10)

    assert (found.decision.action, found.decision.status, found.decision.fresh_for_s) == ("hit", 200, 50)
    assert found.later.after_s == 50
    assert found.later.decision.action == "revalidate"
    assert found.later.decision.sends == ['If-None-Match: "a"']


def test_rfc9111_4_3_2_a_client_that_has_it_gets_304_from_the_cache():
    found = explained(request(headers='If-None-Match: "a"'), stored(TAGGED))

    assert (found.decision.action, found.decision.status) == ("hit", 304)
    assert "304" in found.decision.summary


def test_rfc9111_4_3_1_what_is_stale_is_asked_about_with_its_validators():
    found = explained(request(), stored(f"{TAGGED}\nLast-Modified: Mon, 01 Nov 2021 00:00:00 GMT"), at=NOW + 100)

    assert (found.decision.action, found.decision.why.reason) == ("revalidate", "stale")
    assert found.decision.why.section == "RFC 9111 §4.2.4"
    assert found.decision.sends == ['If-None-Match: "a"', "If-Modified-Since: Mon, 01 Nov 2021 00:00:00 GMT"]
    assert found.decision.uses == ["1"]


def test_rfc9111_5_2_1_what_the_client_asks_is_the_reason():
    newer = explained(request(headers="Cache-Control: max-age=5"), stored(TAGGED), at=NOW + 10)
    asked = explained(request(headers="Cache-Control: no-cache"), stored(TAGGED))

    assert newer.decision.why.reason == "request-max-age"
    assert asked.decision.why.reason == "request"


def test_rfc9111_3_4_a_stored_part_is_completed():
    part = stored(
        f"{TAGGED}\nContent-Range: bytes 0-4/10\nContent-Length: 5",
        asked=request(headers="Range: bytes=0-4"),
        status=206,
    )
    part = replace(part, body_length=5)

    found = explained(request(), part)

    assert found.decision.action == "complete"
    assert "Range: bytes=5-" in found.decision.sends[0] or "Range: bytes=5-" in found.decision.sends[1]
    assert found.stored[0].part == "bytes 0-4/10"


def test_rfc9111_5_2_1_7_only_if_cached_is_refused():
    found = explained(request(headers="Cache-Control: only-if-cached"))

    assert (found.decision.action, found.decision.status) == ("refuse", 504)


def test_another_variant_is_no_hit_and_says_which_field_differs():
    entry = stored(f"{FRESH}\nVary: Foo", asked=request(headers="Foo: 1"))

    found = explained(request(headers="Foo: 2"), entry)

    assert (found.decision.action, found.decision.why.reason) == ("forward", "vary-miss")
    assert [selector.matches for selector in found.stored[0].vary] == [False]


@pytest.mark.parametrize(
    ("asked", "reason", "anything"),
    [
        (request(method="DELETE"), "method", True),
        (request(headers="Cache-Control: no-store"), "request-no-store", True),
        (request(headers="Authorization: Basic x"), "authorization", False),
    ],
)
def test_rfc9111_3_what_will_not_be_stored_is_known_before_it_is_fetched(asked, reason, anything):
    found = explained(asked)

    assert found.refuses_to_store.reason == reason
    assert found.refuses_anything is anything


def test_an_unsafe_request_names_what_it_may_invalidate():
    assert explained(request(method="PUT"), stored(TAGGED)).decision.uses == ["1"]


def test_the_cache_that_is_off_says_so():
    found = explained(request(), rules=RuleSet(replace(OPTIONS, enabled=False)))

    assert (found.decision.action, found.decision.why.reason) == ("forward", "bypass")


def test_the_rule_that_counts_is_named_with_what_it_changes():
    rules = RuleSet(
        OPTIONS,
        [
            Rule(Overrides(never=True), hosts=("other.example",)),
            Rule(Overrides(ttl_s=3600.0), hosts=("example.com",), paths=("/a*",)),
        ],
    )

    found = explained(request(), stored(FRESH), at=NOW + 100, rules=rules)

    assert isinstance(found.rule, RuleView)
    assert found.rule.index == 1
    assert found.rule.covers == "example.com, /a*"
    assert "ttl" in found.rule.effects[0]
    assert found.decision.action == "hit"


def test_rfc5861_3_a_stale_answer_that_is_validated_meanwhile_says_so():
    entry = stored("Cache-Control: max-age=60, stale-while-revalidate=30")

    found = explained(request(), entry, at=NOW + 70)

    assert (found.decision.action, found.decision.why.reason) == ("hit", "stale-while-revalidate")
    assert found.decision.asks_meanwhile
    assert found.decision.fresh_for_s == -10
    assert explained(request(), entry).later.decision.asks_meanwhile


def test_what_is_stored_may_stand_in_when_the_limiter_refuses():
    asked = explained(request(), stored(TAGGED), at=NOW + 100)
    strict = explained(request(), stored('Cache-Control: max-age=60, must-revalidate\nETag: "a"'), at=NOW + 100)

    assert asked.if_refused.reason == "stale-limited"
    assert strict.if_refused is None
    assert explained(request()).if_refused is None


def test_offline_what_is_not_stored_is_refused():
    found = explained(request(), rules=RuleSet(replace(OPTIONS, offline=True)))

    assert (found.decision.action, found.decision.why.reason) == ("refuse", "offline")


def test_a_field_that_may_steer_the_origin_keeps_the_cache_out():
    found = explained(request(headers="X-Forwarded-Host: evil.example"), stored(TAGGED))

    assert found.steered_by == ["X-Forwarded-Host"]
    assert (found.decision.action, found.decision.why.reason) == ("forward", "bypass")
    assert found.refuses_anything
