import pytest

from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.table import LimitTable

TABLE = LimitTable(
    Limit("default"),
    {
        "api.example.com": Limit("api.example.com"),
        "*.example.org": Limit("*.example.org"),
        "*.deep.example.org": Limit("*.deep.example.org"),
        "named.deep.example.org": Limit("named.deep.example.org"),
        "127.0.0.1": Limit("127.0.0.1"),
        "::1": Limit("::1"),
    },
)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.example.com", "api.example.com"),
        ("API.Example.COM.", "api.example.com"),
        ("x.api.example.com", "default"),
        ("example.org", "default"),
        ("a.example.org", "*.example.org"),
        ("a.b.example.org", "*.example.org"),
        ("deep.example.org", "*.example.org"),
        ("a.deep.example.org", "*.deep.example.org"),
        ("named.deep.example.org", "named.deep.example.org"),
        ("badexample.org", "default"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("localhost", "default"),
    ],
)
def test_exact_name_before_longest_wildcard_before_default(host, name):
    limit, _ = TABLE.match(host)

    assert limit.name == name


def test_each_host_under_a_wildcard_or_the_default_has_its_own_key():
    keys = {TABLE.match(host)[1] for host in ("a.example.org", "b.example.org", "B.example.org.", "other.test")}

    assert keys == {"a.example.org", "b.example.org", "other.test"}


def test_any_number_of_hosts_is_matched():
    names = {TABLE.match(f"h{i}.example.org")[0].name for i in range(25_000)}

    assert names == {"*.example.org"}
    assert len(TABLE._matched) <= 10_000
