from sluicegate.config.compile import (
    cache_options,
    default_limit,
    host_limits,
    interception,
    limit_table,
    max_entry_size,
)
from sluicegate.config.models import Settings
from sluicegate.core.limits.model import Limit, Rate


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


def test_targeted_fields_are_looked_for_in_any_case():
    assert cache_options(settings(cache={"targeted": ["CDN-Cache-Control", "X"]})).targeted == (
        b"cdn-cache-control",
        b"x",
    )


def test_no_entry_is_larger_than_the_cache():
    assert max_entry_size(settings(cache={"max_size": "1GiB"})) == 2**30
    assert max_entry_size(settings(cache={"max_entry_size": "1MiB"})) == 2**20


def test_tunnelled_hosts():
    made = interception(settings(https={"tunnel": ["*.bank.example"]}))

    assert made.tunnels("www.bank.example")
    assert not made.tunnels("www.example")
    assert interception(settings(https={"mode": "tunnel"})).tunnels("www.example")
