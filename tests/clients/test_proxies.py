import pytest

from sluicegate.clients.proxies import (
    bypass_entries,
    client_address,
    no_proxy_entries,
    no_proxy_variables,
    proxy_variables,
)

PROXY = "http://127.0.0.1:4128"


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "all_proxy"])
def test_both_cases_name_the_proxy_with_its_scheme(name):
    variables = proxy_variables(PROXY, {})

    assert variables[name] == variables[name.upper()] == PROXY


def test_inherited_proxies_of_either_case_are_replaced():
    base = {"http_proxy": "http://old:1", "HTTPS_PROXY": "http://old:2", "ALL_PROXY": "socks5://old:3"}

    assert "old" not in str(base | proxy_variables(PROXY, base))


@pytest.mark.parametrize("name", ["PIP_PROXY", "CARGO_HTTP_PROXY", "NPM_CONFIG_PROXY", "npm_config_https_proxy"])
def test_a_clients_own_variable_is_replaced_where_it_is_inherited(name):
    assert proxy_variables(PROXY, {name: "http://old:1"})[name] == PROXY


def test_a_clients_own_variable_is_not_added_where_it_is_not():
    assert "PIP_PROXY" not in proxy_variables(PROXY, {})


def test_node_is_told_to_read_the_variables():
    variables = proxy_variables(PROXY, {"NODE_OPTIONS": "--max-old-space-size=99"})

    assert variables["NODE_USE_ENV_PROXY"] == "1"
    assert "NODE_OPTIONS" not in variables


def test_loopback_goes_round_the_proxy():
    assert no_proxy_entries({}, proxy_loopback=False, bypass=()) == ["localhost", ".localhost", "127.0.0.1", "::1"]


def test_with_proxy_loopback_nothing_is_left_out():
    base = {"no_proxy": "localhost,127.0.0.1", "NO_PROXY": "::1,127.0.0.0/8,corp.example"}

    assert no_proxy_entries(base, proxy_loopback=True, bypass=()) == ["corp.example"]
    assert no_proxy_variables([]) == {"no_proxy": "", "NO_PROXY": ""}


def test_inherited_entries_of_both_cases_are_merged_and_none_is_lost():
    base = {"no_proxy": "a.example, 10.0.0.0/8", "NO_PROXY": "b.example a.example"}

    entries = no_proxy_entries(base, proxy_loopback=False, bypass=())

    assert entries[:3] == ["a.example", "10.0.0.0/8", "b.example"]
    assert len(entries) == len(set(entries))


@pytest.mark.parametrize("host", ["up.test", ".up.test", "*.up.test", "UP.test", " up.test "])
def test_a_bypassed_host_is_written_bare_and_with_a_leading_dot(host):
    assert bypass_entries(host) == ("up.test", ".up.test")


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_a_bypassed_address_has_no_subdomains(address):
    assert bypass_entries(address) == (address,)


@pytest.mark.parametrize("host", ["", "*", ".", "a,b", "http://a.example", "a b", "up.test:80", "10.0.0.0/8", "[::1]"])
def test_what_some_clients_would_not_understand_is_refused(host):
    with pytest.raises(ValueError, match=r"host name|names a port"):
        bypass_entries(host)


def test_no_proxy_is_set_in_both_cases():
    assert no_proxy_variables(["a", ".a"]) == {"no_proxy": "a,.a", "NO_PROXY": "a,.a"}


@pytest.mark.parametrize(
    ("listens", "reached"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("192.0.2.7", "192.0.2.7"), ("proxy.lan", "proxy.lan")],
)
def test_a_proxy_on_all_addresses_is_reached_over_loopback(listens, reached):
    assert client_address(listens) == reached
