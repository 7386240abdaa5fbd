"""Who may use the proxy, and to reach what."""

import base64
import http.client
import json
import socket
import subprocess

import pytest

from sluicegate.config.passwords import hash_password
from support.origin import ThreadedOrigin, answer, response
from support.proxy import COMMAND, clean_environ, running_proxy

OK = answer(response(body=b"ok"))
PASSWORD = "correct horse battery"
BASIC = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()


@pytest.fixture(scope="module")
def users():
    return {"ann": hash_password(PASSWORD)}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, users):
    """A proxy for other machines: its clients need a password and may not reach its own networks."""
    with running_proxy(tmp_path_factory.mktemp("guarded"), access={"users": users}) as running:
        yield running


@pytest.fixture(scope="module")
def private(tmp_path_factory, users):
    """The same, for destinations on its own networks."""
    access = {"users": users, "allow_private": True}
    with running_proxy(tmp_path_factory.mktemp("private"), access=access) as running:
        yield running


def exchange(proxy, head, **fields):
    """The answer to a request with these fields and without a body, on a connection of its own."""
    lines = [head, *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items()), "Connection: close"]
    return proxy.exchange("\r\n".join([*lines, "", ""]).encode())


def test_a_listen_address_that_others_reach_needs_allow_or_users(tmp_path):
    ended = subprocess.run(
        [*COMMAND, "serve", "--listen", "0.0.0.0:0", "--state-dir", str(tmp_path)],
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert "access.allow" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_with_allow_such_an_address_is_served_to_those_networks(tmp_path):
    access = {"allow": ["192.0.2.0/24"], "allow_private": True}
    with ThreadedOrigin(OK) as origin, running_proxy(tmp_path, listen="0.0.0.0:0", access=access) as proxy:
        assert proxy.get(origin.url).status == 200, "loopback is always allowed"
        with socket.create_connection((proxy.host, proxy.port)) as probe:
            assert probe.getpeername()[0] == "127.0.0.1"


def test_without_credentials_the_answer_is_407_and_the_origin_sees_nothing(private):
    with ThreadedOrigin(OK) as origin:
        reply = private.get(origin.url)

        assert reply.status == 407
        assert reply.get("proxy-authenticate").startswith("Basic realm=")
        assert origin.log == []


@pytest.mark.parametrize(
    "credentials",
    ["Basic " + base64.b64encode(b"ann:wrong").decode(), "Basic !!!", "Bearer " + BASIC, "Basic", BASIC],
    ids=["wrong-password", "no-base64", "bearer", "empty", "no-scheme"],
)
def test_with_wrong_credentials_too(private, credentials):
    with ThreadedOrigin(OK) as origin:
        assert private.get(origin.url, proxy_authorization=credentials).status == 407
        assert origin.log == []


def test_with_credentials_the_request_passes_and_they_go_no_further(private):
    with ThreadedOrigin(OK) as origin:
        reply = private.get(f"{origin.url}/allowed", proxy_authorization=f"Basic {BASIC}")

        assert (reply.status, reply.body) == (200, b"ok")
        assert origin.log[0].get("proxy-authorization") is None
        line = private.await_log(event="access", url=f"{origin.url}/allowed")
        assert line["user"] == "ann"
    text = private.log_file.read_text()
    assert BASIC not in text
    assert PASSWORD not in text


def test_connect_needs_credentials_too(private):
    with ThreadedOrigin(OK) as origin:
        target = f"127.0.0.1:{origin.port}"
        assert exchange(private, f"CONNECT {target} HTTP/1.1", Host=target).startswith(b"HTTP/1.1 407 ")

        connection = http.client.HTTPConnection(private.host, private.port, timeout=30)
        connection.set_tunnel("127.0.0.1", origin.port, {"Proxy-Authorization": f"Basic {BASIC}"})
        connection.request("GET", "/inside")
        assert connection.getresponse().read() == b"ok"
        connection.close()
        assert [(seen.target, seen.get("proxy-authorization")) for seen in origin.log] == [("/inside", None)]


PRIVATE_HOSTS = [
    "127.0.0.1",
    "localhost",
    "LOCALHOST.",
    "a.localhost",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0.0.0.0",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::]",
    "10.1.2.3",
    "192.168.1.1",
    "169.254.169.254",
    "[fe80::1]",
    "[fd00::1]",
]


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_private_destinations_are_refused_to_clients_of_a_guarded_proxy(guarded, host):
    with ThreadedOrigin(OK) as origin:
        authority = f"{host}:{origin.port}"
        answered = exchange(
            guarded, f"GET http://{authority}/ HTTP/1.1", Host=authority, Proxy_Authorization=f"Basic {BASIC}"
        )

        assert answered.startswith(b"HTTP/1.1 403 "), answered
        assert b"access.allow_private" in answered
        assert origin.accepted == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "[::1]"])
def test_tunnels_to_private_destinations_are_refused_too(guarded, host):
    with ThreadedOrigin(OK) as origin:
        target = f"{host}:{origin.port}"
        with guarded.raw(
            f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic {BASIC}\r\n\r\n".encode()
        ) as client:
            answered = client.recv(65536)
            if answered.startswith(b"HTTP/1.1 200 "):
                client.sendall(f"GET / HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
                answered = client.recv(65536)

        assert answered.startswith(b"HTTP/1.1 403 "), answered
        assert origin.accepted == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_request_for_the_proxy_itself_is_refused_and_does_not_go_round(private, host):
    with socket.create_connection((private.host, private.port)):
        authority = f"{host}:{private.port}"
        answered = exchange(
            private, f"GET http://{authority}/ HTTP/1.1", Host=authority, Proxy_Authorization=f"Basic {BASIC}"
        )

    assert answered.split(b" ")[1] in (b"400", b"508")
    assert private.status()["limits"] == []


def test_a_proxy_that_is_its_own_parent_notices_the_loop(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running_proxy(tmp_path, listen=f"127.0.0.1:{port}", upstream_proxy=f"http://127.0.0.1:{port}") as proxy:
        reply = proxy.get("http://example.com/round")

        assert reply.status == 508
        assert json.loads(reply.body)["title"]
        assert "error=proxy_loop_detected" in reply.get("proxy-status")


def test_the_admin_server_answers_only_to_names_of_this_machine(private):
    host, port = private.admin.split(":")
    for name, status in {"evil.example": 403, f"evil.example:{port}": 403, f"localhost:{port}": 200}.items():
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        connection.request("GET", "/api/status", headers={"Host": name})
        reply = connection.getresponse()
        assert (name, reply.status) == (name, status)
        reply.read()
        connection.close()
