from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.caching.rules.queries import QueryRule
from sluicegate.core.caching.rules.rule_set import Rule
from sluicegate.core.caching.rules.wording import effects, matched


def test_everything_that_a_rule_can_change_is_told_by_the_name_of_its_key():
    both = Overrides(
        ttl_s=600.0, force=True, immutable=True, ignore_client_no_cache=True, query=QueryRule(("a",), sort=True)
    )

    told = [effect.partition(":")[0] for effect in effects(both)]
    assert told == ["ttl", "force", "immutable", "ignore_client_no_cache", "ignore_query", "sort_query"]
    assert all("not RFC 9111" in effect for effect in effects(both))
    assert [effect.partition(":")[0] for effect in effects(Overrides(never=True))] == ["never"]
    assert effects(Overrides(query=QueryRule(everything=True))) == [
        "ignore_query: the query is no part of the key (not RFC 9111 §4)"
    ]
    assert effects(Overrides()) == []


def test_whom_it_is_for_is_told():
    assert matched(Rule(Overrides())) == "every host, every path"
    assert matched(Rule(Overrides(), hosts=("a.example", "*.b.example"), paths=("/x*",))) == (
        "a.example, *.b.example, /x*"
    )
