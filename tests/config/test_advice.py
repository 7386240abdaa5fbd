import pytest

from sluicegate.config.advice import advise
from sluicegate.config.models import Settings


def advice(**data):
    return [str(item) for item in advise(Settings.model_validate(data))]


def test_the_defaults_need_no_advice():
    assert advice() == []


def test_a_rate_that_another_makes_unreachable_is_told():
    assert advice(limits={"hosts": {"a.example": {"rates": ["10/second", "5/minute"]}}}) == [
        'limits.hosts."a.example".rates: 10/second is never reached, since 5/min allows less'
    ]


def test_rates_that_both_bite_are_not_told():
    assert advice(limits={"default": {"rates": ["5/second", "1000/hour"]}}) == []


def test_a_wait_shorter_than_the_distance_between_requests_is_told():
    (told,) = advice(limits={"default": {"rates": "1/hour"}})

    assert told.startswith(
        "limits.default.max_wait: under load a request leaves every 1 h 0 min, but none waits longer than 1 min 0 s"
    )


def test_a_burst_over_the_rate_is_told():
    assert advice(limits={"default": {"rates": "5/second", "burst": 9}}) == [
        "limits.default.burst: is more than the rates let through at once, 5"
    ]


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_an_open_proxy_is_told(network):
    assert advice(access={"allow": [network]}) == [
        "access.allow[0]: lets every address use the proxy, without a password"
    ]


def test_an_admin_page_that_others_can_reach_is_told():
    assert advice(admin="0.0.0.0:9090")[0].startswith("admin: other machines can reach it")


def test_a_private_cache_of_several_users_is_told():
    assert advice(cache={"mode": "private"}, access={"allow": "10.0.0.0/8"})[0].startswith("cache.mode: private keeps")


def test_a_cache_rule_that_never_counts_or_changes_nothing_is_told():
    rules = [{"hosts": "a.example"}, {"ttl": "1m"}, {"hosts": "b.example", "never": True}]

    assert advice(cache={"rules": rules}) == [
        "cache.rules[0]: changes nothing; what it matches is kept from the rules after it",
        "cache.rules[2]: never counts, since cache.rules[1] matches all that it matches",
    ]
