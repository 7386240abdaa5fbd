import socket

import pytest

from sluicegate.errors import StartError
from sluicegate.proxy.listener import address_of, listen_on


def test_a_busy_port_says_which_and_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"127.0.0.1:{port}: Address already in use") as caught:
            listen_on("127.0.0.1", port)
    assert "--listen" in caught.value.advice


def test_an_address_of_another_machine_says_so():
    with pytest.raises(StartError) as caught:
        listen_on("192.0.2.1", 0)
    assert "no such address" in caught.value.advice


def test_a_name_that_cannot_be_resolved_says_so():
    with pytest.raises(StartError, match=r"nowhere\.invalid"):
        listen_on("nowhere.invalid", 3128)


def test_port_0_is_a_free_one_that_clients_reach_before_anybody_accepts():
    with (
        listen_on("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname(), timeout=10) as client,
    ):
        assert address_of(listening) == f"127.0.0.1:{client.getpeername()[1]}"


def test_an_ipv6_address_is_told_as_urls_have_it():
    with listen_on("::1", 0) as listening:
        assert address_of(listening) == f"[::1]:{listening.getsockname()[1]}"
