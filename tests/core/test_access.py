import base64
from ipaddress import ip_network

import pytest

from sluicegate.core.access import AccessPolicy
from sluicegate.errors import DestinationForbidden, ProxyAuthRequired

GUARDED = AccessPolicy(allow_private=False)


def credentials(text, scheme="Basic"):
    return [(b"Proxy-Authorization", f"{scheme} {base64.b64encode(text.encode()).decode()}".encode())]


def with_users(**users):
    return AccessPolicy(users=users, verify=lambda password, hashed: f"hash of {password}" == hashed)


def test_without_users_and_networks_everyone_who_gets_here_may_pass():
    assert AccessPolicy().admit("203.0.113.9", []) == ""


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3"])
def test_a_client_of_an_allowed_network_may_pass(peer):
    AccessPolicy(allow=(ip_network("10.0.0.0/8"),)).admit(peer, [])


@pytest.mark.parametrize("peer", ["192.0.2.1", "fe80::1%eth0"])
def test_a_client_of_another_network_may_not(peer):
    with pytest.raises(DestinationForbidden, match="none of the networks"):
        AccessPolicy(allow=(ip_network("10.0.0.0/8"),)).admit(peer, [])


def test_a_user_is_known_by_name_and_password():
    assert with_users(ada="hash of s:cret").admit("127.0.0.1", credentials("ada:s:cret")) == "ada"


@pytest.mark.parametrize(
    "fields",
    [
        [],
        credentials("ada:wrong"),
        credentials("eve:secret"),
        credentials("ada:secret", scheme="Bearer"),
        [(b"Proxy-Authorization", b"Basic not-base64!")],
        [(b"Proxy-Authorization", b"Basic " + base64.b64encode(b"\xff\xfe"))],
    ],
)
def test_everyone_else_is_asked_for_credentials(fields):
    with pytest.raises(ProxyAuthRequired) as caught:
        with_users(ada="hash of secret").admit("127.0.0.1", fields)
    assert caught.value.fields()[0][0] == b"Proxy-Authenticate"


@pytest.mark.parametrize(
    "host",
    ["localhost", "a.localhost", "127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1", "::ffff:10.0.0.1"],
)
def test_a_guarded_proxy_refuses_private_hosts(host):
    with pytest.raises(DestinationForbidden):
        GUARDED.admit_host(host)


@pytest.mark.parametrize("host", ["example.com", "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_a_guarded_proxy_lets_public_hosts_pass(host):
    GUARDED.admit_host(host)


def test_a_resolved_address_is_judged_as_well():
    assert not GUARDED.permits_address("192.168.1.1")
    assert AccessPolicy().permits_address("192.168.1.1")
