from dataclasses import replace

import pytest

from sluicegate.cli.explanation import show
from sluicegate.core.access import AccessPolicy
from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.caching.rules.rule_set import Rule, RuleSet
from sluicegate.core.interception import Interception
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.explain.decision import view
from sluicegate.explain.document import Explanation, Queue, route
from sluicegate.explain.limits import limit_view
from support.cache_policy import FRESH, NOW, OPTIONS, stored
from support.messages import request

LIMIT = Limit("default", (Rate(1.0, 10),))


@pytest.fixture
def shown(capsys):
    def run(asked=None, *entries, at=NOW, rules=None, wait_s=0.0, **members):
        asked = asked or request()
        explanation = Explanation(
            method=asked.method,
            url=asked.url,
            fields=[],
            mode="shared",
            store="disk",
            route=route("example.com", "http", Interception(), AccessPolicy()),
            cache=view(asked, list(entries), rules or RuleSet(OPTIONS), at),
            limit=limit_view(LIMIT, "example.com", wait_s),
        )
        show(replace(explanation, **members))
        return capsys.readouterr().out

    return run


def test_no_colors_where_there_is_no_terminal(shown):
    assert "\x1b" not in shown()


def test_a_hit_says_for_how_long_and_that_it_waits_for_nothing(shown):
    text = shown(None, stored(f'{FRESH}\nETag: "a"'), wait_s=5.0)

    assert "Hit: Answered from the cache" in text
    assert "fresh for another 1 min 0 s" in text
    assert "In 1 min 0 s: The origin is asked whether" in text
    assert "it waits for nothing and costs no permit" in text
    assert "--fetch" not in text


def test_a_stale_response_shows_its_age_and_validators(shown):
    text = shown(None, stored(f'{FRESH}\nETag: "a"'), at=NOW + 90)

    assert "Revalidate" in text
    assert 'asks with If-None-Match: "a"' in text
    assert "stale for 30 s" in text


def test_when_it_may_be_used_stale_is_listed(shown):
    entry = stored("Cache-Control: max-age=60, stale-while-revalidate=30")

    assert "may be used stale while it is validated, until 30 s after its time  RFC 5861 §3" in shown(None, entry)


def test_a_wait_is_explained(shown):
    assert "It would wait 5 s: what the rates allow is spent for now" in shown(wait_s=5.0)
    assert "answered 429" in shown(wait_s=90.0)
    assert "not known" in shown(wait_s=None)


def test_what_a_running_proxy_says_of_its_queue_is_shown(shown):
    text = shown(queue=Queue("127.0.0.1:3128", 12, 3))

    assert "The proxy on 127.0.0.1:3128 has 12 requests waiting and 3 in flight." in text


def test_the_rule_that_counts_is_shown(shown):
    text = shown(rules=RuleSet(OPTIONS, [Rule(Overrides(ttl_s=60.0), hosts=("example.com",))]))

    assert "cache.rules[0]: example.com, every path" in text
    assert "not RFC 9111 §4.2.1" in text


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ("Cache-Control: no-store", "is not kept."),
        ("Authorization: Basic x", "is not kept, unless it expressly allows"),
    ],
)
def test_what_will_not_be_kept_is_known_before(shown, headers, told):
    assert told in shown(request(headers=headers))


def test_remarks_and_escapes_are_harmless(shown):
    text = shown(request("http://example.com/[bold]x"), remarks=["one\x1b[31m", "two"])

    assert "http://example.com/[bold]x" in text
    assert "\x1b" not in text
    assert "two" in text


def test_a_refusal_by_the_limiter_is_no_429_where_something_stale_may_stand_in(shown):
    text = shown(None, stored(f'{FRESH}\nETag: "a"'), at=NOW + 90, wait_s=90.0)

    assert "answered with what is stored" in text
    assert "429" not in text


def test_asking_meanwhile_costs_a_permit_and_no_time(shown):
    entry = stored("Cache-Control: max-age=60, stale-while-revalidate=30")

    assert "asking meanwhile costs a permit" in shown(None, entry, at=NOW + 70, wait_s=5.0)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ('Cache-Control: max-age=0\nETag: "a"', "lifetime 0 s by max-age"),
        ('ETag: "a"', "lifetime nothing says that it is ever fresh"),
        (FRESH, "lifetime 1 min 0 s by max-age"),
    ],
)
def test_a_lifetime_is_told_with_its_source(shown, headers, told):
    assert told in shown(None, stored(headers))
