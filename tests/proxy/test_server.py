import socket

import pytest

from sluicegate.errors import StartError
from sluicegate.proxy.server import ProxyServer


def server():
    return ProxyServer(addon=None, confdir=None, upstream_roots=None)


async def test_a_busy_port_says_which_and_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"127.0.0.1:{port}: Address already in use") as caught:
            await server().start("127.0.0.1", port)
    assert "--listen" in caught.value.advice


async def test_an_address_of_another_machine_says_so():
    with pytest.raises(StartError) as caught:
        await server().start("192.0.2.1", 0)
    assert "no such address" in caught.value.advice


async def test_a_name_that_cannot_be_resolved_says_so():
    with pytest.raises(StartError, match=r"nowhere\.invalid"):
        await server().start("nowhere.invalid", 3128)
