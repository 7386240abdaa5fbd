import pytest

from sluicegate.config.compile import (
    cache_options,
    cache_rules,
    default_limit,
    host_limits,
    interception,
    limit_table,
    max_entry_size,
)
from sluicegate.config.models import Settings
from sluicegate.core.caching.decisions import StaleOptions
from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.limits.model import Limit, Rate
from support.messages import request


def settings(**data):
    return Settings.model_validate(data)


def test_a_host_inherits_what_it_does_not_say():
    compiled = settings(
        limits={
            "default": {"rates": "2/second", "concurrency": 3, "max_wait": "4s", "max_queue": 5, "burst": 1},
            "hosts": {"a.example": {"rates": "unlimited"}, "b.example": {"concurrency": 9, "max_wait": "0s"}},
        }
    )

    assert default_limit(compiled) == Limit("default", (Rate(1.0, 2),), 3, 4.0, 5, 1)
    assert host_limits(compiled) == {
        "a.example": Limit("a.example", (), 3, 4.0, 5, 1),
        "b.example": Limit("b.example", (Rate(1.0, 2),), 9, 0.0, 5, 1),
    }


def test_the_table_matches_hosts_and_the_rest():
    table = limit_table(settings(limits={"hosts": {"*.a.example": {"rates": "1/second"}}}))

    assert table.match("x.a.example")[0].name == "*.a.example"
    assert table.match("a.example")[0].name == "default"


def test_cache_modes():
    modes = {mode: cache_options(settings(cache={"mode": mode})) for mode in ("shared", "private", "off")}

    assert {mode: (options.enabled, options.shared) for mode, options in modes.items()} == {
        "shared": (True, True),
        "private": (True, False),
        "off": (False, False),
    }


def test_when_something_stale_is_used():
    stale = {"unreachable": "1h", "answer_after": None, "queue": "5s"}
    options = cache_options(settings(cache={"stale": stale, "offline": True}))

    assert options.stale == StaleOptions(unreachable_s=3600.0, answer_after_s=None, queue_s=5.0)
    assert options.offline
    assert cache_options(settings()).stale == StaleOptions(unreachable_s=86_400.0, answer_after_s=10.0)


def test_targeted_fields_are_looked_for_in_any_case():
    assert cache_options(settings(cache={"targeted": ["CDN-Cache-Control", "X"]})).targeted == (
        b"cdn-cache-control",
        b"x",
    )


def test_cache_rules():
    rules = cache_rules(
        settings(
            cache={
                "targeted": "X",
                "rules": [
                    {"hosts": "A.example", "paths": ["/a*"], "ttl": "10m", "force": True, "immutable": True},
                    {"ignore_query": "all"},
                ],
            }
        )
    )

    found = rules.options(request("http://a.example/ab"))
    assert found.rule == Overrides(ttl_s=600.0, force=True, immutable=True)
    assert found.targeted == (b"x",)
    assert rules.key(request("http://a.example/ab?x=1")) == "http://a.example/ab?x=1"
    assert rules.key(request("http://a.example/c?x=1")) == "http://a.example/c"


def test_parameters_are_ignored_and_sorted():
    rules = cache_rules(settings(cache={"rules": [{"ignore_query": ["u*", "sid"], "sort_query": True}]}))

    assert rules.key(request("http://a.example/?b=1&sid=2&a=3&u=4")) == "http://a.example/?a=3&b=1"


def test_no_entry_is_larger_than_the_cache():
    assert max_entry_size(settings(cache={"max_size": "1GiB"})) == 2**30
    assert max_entry_size(settings(cache={"max_entry_size": "1MiB"})) == 2**20


def test_tunnelled_hosts():
    made = interception(settings(https={"tunnel": ["*.bank.example"]}))

    assert made.tunnels("www.bank.example")
    assert not made.tunnels("www.example")
    assert interception(settings(https={"mode": "tunnel"})).tunnels("www.example")


def test_a_patience_of_ones_own_stands_in_for_every_max_wait():
    configured = settings(limits={"hosts": {"a.example": {"max_wait": "1s"}}})

    table = limit_table(configured, max_wait_s=1000.0)

    assert [table.match(host)[0].max_wait_s for host in ("a.example", "b.example")] == [1000.0, 1000.0]
    assert limit_table(configured).match("a.example")[0].max_wait_s == 1.0


@pytest.mark.parametrize(
    ("access", "several"),
    [({}, False), ({"allow": "10.0.0.0/8"}, True), ({"users": {"ann": "scrypt$16384$8$1$YQ==$YQ=="}}, True)],
)
def test_a_cache_that_others_are_let_in_to_serves_several(access, several):
    assert cache_options(Settings.model_validate({"access": access})).several is several
