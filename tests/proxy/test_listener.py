import socket

import pytest

from sluicegate.errors import StartError
from sluicegate.proxy.listener import address_of, listen_on, listen_together


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


def test_connections_are_spread_over_sockets_on_one_address():
    sockets = listen_together("127.0.0.1", 0, 2)
    clients = [socket.create_connection(sockets[0].getsockname(), timeout=10) for _ in range(64)]
    try:
        for listening in sockets:
            listening.settimeout(10)
            listening.accept()[0].close()
    finally:
        for opened in (*clients, *sockets):
            opened.close()


def test_a_port_that_another_proxy_shares_among_its_own_is_busy_for_us():
    sockets = listen_together("127.0.0.1", 0, 2)
    try:
        with pytest.raises(StartError, match="Address already in use"):
            listen_together("127.0.0.1", sockets[0].getsockname()[1], 2)
    finally:
        for listening in sockets:
            listening.close()
