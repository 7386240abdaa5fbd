import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.caching.rules.queries import QueryRule
from sluicegate.core.caching.rules.rule_set import Rule, RuleSet
from sluicegate.core.http import Origin, RequestHead
from support.messages import request

PLAIN = CacheOptions(targeted=(b"cdn-cache-control",))
TTL = Overrides(ttl_s=60.0)


def rule_set(*rules, plain=PLAIN):
    return RuleSet(plain, rules)


def counts(rule, url):
    return rule_set(rule).options(request(url)).rule is not None


@pytest.mark.parametrize(
    ("hosts", "url", "expected"),
    [
        ((), "http://any.example/", True),
        (("a.example",), "http://a.example/", True),
        (("a.example",), "https://a.example:8443/", True),
        (("a.example",), "http://A.EXAMPLE./", True),
        (("a.example",), "http://b.a.example/", False),
        (("*.a.example",), "http://c.b.a.example/", True),
        (("*.a.example",), "http://a.example/", False),
        (("*.a.example",), "http://xa.example/", False),
        (("::1", "10.0.0.1"), "http://[::1]/", True),
        (("x.example", "10.0.0.1"), "http://10.0.0.1/", True),
    ],
)
def test_which_hosts_a_rule_is_for(hosts, url, expected):
    assert counts(Rule(TTL, hosts=hosts), url) is expected


@pytest.mark.parametrize(
    ("paths", "url", "expected"),
    [
        (("/simple/*",), "http://a.example/simple/x", True),
        (("/simple/*",), "http://a.example/simple/a/b/?q=/", True),
        (("/simple/*",), "http://a.example/simple", False),
        (("/simple/*",), "http://a.example/x?y=/simple/", False),
        (("/simple/*",), "http://a.example/x/../simple/y", True),
        (("/simple/*",), "http://a.example/simple/../y", False),
        (("/simple/*",), "http://a.example/%73imple/y", True),
        (("/a", "*.css"), "http://a.example/b/c.css?v=1", True),
        (("/",), "http://a.example/", True),
        (("/",), "http://a.example/?x", True),
    ],
)
def test_which_paths_a_rule_is_for_goes_by_the_path_of_the_key(paths, url, expected):
    assert counts(Rule(TTL, paths=paths), url) is expected


def test_the_first_rule_that_matches_counts_alone():
    rules = rule_set(
        Rule(Overrides(), hosts=("a.example",), paths=("/exempt",)),
        Rule(Overrides(ttl_s=1.0), hosts=("a.example",), paths=("/x*", "/y*")),
        Rule(Overrides(ttl_s=2.0), hosts=("*.example",)),
        Rule(Overrides(ttl_s=3.0)),
    )

    def found(url):
        rule = rules.options(request(url)).rule
        return rules.match(request(url)), rule and rule.ttl_s

    assert found("http://a.example/exempt") == (0, None)
    assert found("http://a.example/x1") == found("http://a.example/y1") == (1, 1.0)
    assert found("http://a.example/z") == found("http://b.example/x1") == (2, 2.0)
    assert found("http://other/") == (3, 3.0)


def test_without_rules_everything_is_as_it_is():
    rules = rule_set()

    assert rules.resolve(request()) == (cache_key(request()), PLAIN)
    assert rules.options(request()) is PLAIN
    assert rules.match(request()) is None


def test_options_are_the_same_object_for_the_same_rule_and_the_plain_ones_where_none_counts():
    rules = rule_set(Rule(TTL, hosts=("a.example",)), Rule(Overrides(), hosts=("b.example",)))

    options = rules.options(request("http://a.example/1"))
    assert options is rules.options(request("http://a.example/2"))
    assert (options.rule, options.targeted, options.shared) == (TTL, PLAIN.targeted, PLAIN.shared)
    assert rules.options(request("http://b.example/")) is PLAIN
    assert rules.options(request("http://c.example/")) is PLAIN


def test_never_switches_the_cache_off_and_no_rule_switches_it_on():
    assert not rule_set(Rule(Overrides(never=True))).options(request()).enabled
    assert not rule_set(Rule(TTL), plain=CacheOptions(enabled=False)).options(request()).enabled


def test_a_query_rule_changes_the_key_and_nothing_else():
    rules = rule_set(Rule(Overrides(query=QueryRule(("utm_*",))), hosts=("a.example",)))
    asked = request("http://a.example/p/../q?b=1&utm_x=2")

    assert rules.key(asked) == "http://a.example/q?b=1"
    assert rules.keys(asked) == ["http://a.example/q?b=1", "http://a.example/q?b=1&utm_x=2"]
    assert rules.keys(request("http://b.example/?utm_x=2")) == ["http://b.example/?utm_x=2"]
    assert asked.target == "/p/../q?b=1&utm_x=2"


PARTS = st.lists(st.sampled_from(["/", "a", "%61", "%2F", "..", ".", "?", "&", "=", "utm_x=1", "b", ";"]), max_size=9)


@given(PARTS, PARTS)
def test_ignoring_parameters_never_merges_urls_that_differ_elsewhere(one, other):
    rules = rule_set(Rule(Overrides(query=QueryRule(("utm_*",)))))
    first, second = (RequestHead("GET", Origin("http", "h", 80), "/" + "".join(parts)) for parts in (one, other))

    def bare(asked):
        path, _, query = cache_key(asked).partition("?")
        kept = [part for part in query.split("&") if not part.startswith("utm_") or ";" in part]
        return path, [part for part in kept if part]

    if rules.key(first) == rules.key(second):
        assert bare(first) == bare(second)


@given(PARTS)
def test_urls_with_one_key_have_one_rule(parts):
    rules = rule_set(Rule(TTL, paths=("/a*",)), Rule(Overrides(ttl_s=2.0), paths=("*b",)))
    asked = RequestHead("GET", Origin("http", "h", 80), "/" + "".join(parts))
    again = RequestHead("GET", asked.origin, cache_key(asked).removeprefix("http://h"))

    assert rules.options(asked) is rules.options(again)


def test_what_is_known_of_hosts_is_bounded(monkeypatch):
    monkeypatch.setattr("sluicegate.core.caching.rules.rule_set._HOSTS_MAX", 3)
    rules = rule_set(Rule(TTL, hosts=("*.example",)))

    for number in range(20):
        assert rules.options(request(f"http://h{number}.example/")).rule is TTL
    assert len(rules._by_host) <= 3


@pytest.mark.parametrize(
    ("first", "second", "covers"),
    [
        (Rule(TTL), Rule(TTL, hosts=("a",), paths=("/b",)), True),
        (Rule(TTL, hosts=("a", "b")), Rule(TTL, hosts=("a",)), True),
        (Rule(TTL, hosts=("a",)), Rule(TTL), False),
        (Rule(TTL, hosts=("a",), paths=("/x",)), Rule(TTL, hosts=("a",)), False),
        (Rule(TTL, hosts=("a",), paths=("/x", "/y")), Rule(TTL, hosts=("a",), paths=("/y",)), True),
        (Rule(TTL, hosts=("*.a",)), Rule(TTL, hosts=("x.a", "*.y.a")), True),
        (Rule(TTL, hosts=("*.a",)), Rule(TTL, hosts=("x.a", "a")), False),
        (Rule(TTL, paths=("/x/*",)), Rule(TTL, paths=("/x/y", "/x/*/z")), True),
        (Rule(TTL, paths=("/x/*",)), Rule(TTL, paths=("/x/y", "/*")), False),
        (Rule(TTL, paths=("/x/y",)), Rule(TTL, paths=("/x/*",)), False),
    ],
)
def test_a_rule_that_leaves_nothing_for_another_is_known(first, second, covers):
    assert first.covers_all_of(second) is covers
