"""What is carried rather than answered: tunnels, bytes that are no HTTP, WebSockets; each for one permit.

Every test has a host of its own. At most of them one permit is all there is for half a minute: what opens once and is
refused the second time has cost one, neither none nor two.
"""

import asyncio
import contextlib
import ssl
import subprocess
import sys
import time

import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from sluicegate.tasks import spawn
from support.origin import Peer, ScriptedOrigin, answer, response
from support.proxy import running_proxy
from support.tunnels import Tunnel
from support.upstream import eventually

ONCE = {"rates": ["1/30second"], "max_wait": "5s"}
LIMITS = {
    "default": {"rates": "unlimited"},
    "hosts": {
        "127.0.0.2": {"rates": ["1/second"]},
        "127.0.0.3": {"rates": ["1/30second"], "max_queue": 1},
        "127.0.0.4": ONCE,
        "127.0.0.5": ONCE,
        "127.0.0.6": ONCE,
        "127.0.0.7": ONCE,
        "127.0.0.8": ONCE,
        "127.0.0.9": ONCE,
        "127.0.0.15": {"rates": ["1/30second"]},
    },
}
TUNNELLED = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.14", "127.0.0.15"]
CACHEABLE = answer(response(body=b"kept", fields=[("Cache-Control", "max-age=600")]))
TRAVEL_S = 0.1
"""A tunnel's permit is taken at CONNECT, and its first byte still has to come from the client: how uneven that may be."""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, private_ca):
    https = {"tunnel": TUNNELLED, "upstream_ca": str(private_ca.file)}
    with running_proxy(tmp_path_factory.mktemp("tunnels"), limits=LIMITS, https=https) as running:
        yield running


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    """A second proxy, which opens no TLS."""
    unlimited = {"default": {"rates": "unlimited"}}
    with running_proxy(tmp_path_factory.mktemp("parent"), limits=unlimited, https={"mode": "tunnel"}) as running:
        yield running


@pytest.fixture(scope="module")
def child(tmp_path_factory, private_ca, parent):
    """A proxy that reaches every origin through `parent`."""
    with running_proxy(
        tmp_path_factory.mktemp("child"),
        limits={"default": {"rates": "unlimited"}},
        https={"tunnel": TUNNELLED, "upstream_ca": str(private_ca.file)},
        upstream_proxy=parent.url,
    ) as running:
        yield running


def trusting(file) -> ssl.SSLContext:
    """A client that trusts this authority and no other."""
    return ssl.create_default_context(cafile=file)


async def echo(peer: Peer) -> None:
    while data := await peer.reader.read(65536):
        peer.send(data)
        await peer.drain()


@contextlib.asynccontextmanager
async def echoing_websockets(host, certificate=None):
    """An origin of WebSockets that says everything back; gives its URL."""

    async def say_back(connection):
        async for message in connection:
            await connection.send(message)

    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
    async with serve(say_back, host, 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"{'ws' if context is None else 'wss'}://{host}:{port}/"


async def through_a_tunnel(proxy, origin):
    """A tunnel that is opened, and closed at once."""
    async with Tunnel.open(proxy, origin.host, origin.port):
        pass


def waiting_at(proxy, host):
    """How many wait for a permit of `host`."""
    return sum(limit["queue"] for limit in proxy.status()["limits"] if limit["key"] == host)


async def assert_echoes(url, proxy):
    context = trusting(proxy.ca) if url.startswith("wss:") else None
    async with connect(url, proxy=proxy.url, ssl=context) as connection:
        for message in ("text", b"\x00bytes", "x" * 200_000):
            await connection.send(message)
            assert await connection.recv() == message


async def assert_own_certificate(proxy, host, private_ca):
    """TLS through `proxy` ends at the origin itself."""
    async with (
        ScriptedOrigin(answer(response(body=b"ok")), tls=private_ca.certificate, host=host) as origin,
        Tunnel.open(proxy, host, origin.port) as tunnel,
    ):
        tls = await tunnel.start_tls(trusting(private_ca.file), host)
        own = private_ca.certificate.cert_chain_pems[0].bytes().decode()
        assert tls.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(own)
        assert (await tunnel.get("/", host))[2] == b"ok"


async def test_a_host_of_https_tunnel_shows_its_own_certificate(proxy, private_ca):
    await assert_own_certificate(proxy, "127.0.0.14", private_ca)


async def test_in_mode_tunnel_every_host_shows_its_own_certificate(parent, private_ca):
    await assert_own_certificate(parent, "127.0.0.1", private_ca)


async def test_two_tunnels_to_a_host_of_one_a_second_are_a_second_apart(proxy):
    opened = []

    async def note(peer: Peer) -> None:
        await peer.reader.readexactly(1)
        opened.append(time.monotonic())
        peer.send(b"!")

    async def through(origin):
        async with Tunnel.open(proxy, origin.host, origin.port) as tunnel:
            assert await tunnel.ask(b"\x16\x03\x01", 1) == b"!"

    async with ScriptedOrigin(note, host="127.0.0.2") as origin:
        await asyncio.gather(through(origin), through(origin))
    assert opened[1] - opened[0] >= 1 - TRAVEL_S


async def test_a_tunnel_is_refused_at_connect_when_the_queue_is_full(proxy):
    async with ScriptedOrigin(echo, host="127.0.0.3") as origin:
        async with Tunnel.open(proxy, origin.host, origin.port) as first:
            assert first.status == 200
            waiting = spawn(through_a_tunnel(proxy, origin), name="the one that waits")
            await eventually(lambda: waiting_at(proxy, origin.host) == 1)

            async with Tunnel.open(proxy, origin.host, origin.port) as refused:
                assert refused.status == 429
                assert 30 < int(refused.fields["retry-after"]) <= 62
                assert "error=http_request_denied" in refused.fields["proxy-status"]
                problem = await refused.problem()
                assert problem["type"] == "urn:sluicegate:problem:QueueFull"
                assert problem["limit"] == "127.0.0.3"
                assert problem["advice"]
            waiting.cancel()
            await asyncio.wait([waiting])
        assert origin.accepted == 0


async def test_a_client_that_leaves_while_its_tunnel_waits_spends_nothing(proxy):
    async with ScriptedOrigin(echo, host="127.0.0.15") as origin:
        await through_a_tunnel(proxy, origin)
        impatient = spawn(through_a_tunnel(proxy, origin), name="the one that leaves")
        await eventually(lambda: waiting_at(proxy, origin.host) == 1)
        impatient.cancel()
        await eventually(lambda: waiting_at(proxy, origin.host) == 0)

        gone = proxy.await_log(event="access", host=origin.host, status=0)
        assert (gone["method"], gone["error"]) == ("CONNECT", "client_gone")
        assert len(proxy.log_lines(event="permit", host=origin.host)) == 1


async def test_a_tunnel_of_any_bytes_costs_one_permit_at_a_tunnelled_host(proxy):
    async with ScriptedOrigin(echo, host="127.0.0.4") as origin:
        async with Tunnel.open(proxy, origin.host, origin.port) as tunnel:
            assert await tunnel.ask(b"\x00not HTTP", 9) == b"\x00not HTTP"
        async with Tunnel.open(proxy, origin.host, origin.port) as refused:
            assert refused.status == 429
        assert origin.accepted == 1


async def test_bytes_that_are_no_http_are_carried_for_one_permit(proxy):
    async with ScriptedOrigin(echo, host="127.0.0.5") as origin:
        async with Tunnel.open(proxy, origin.host, origin.port) as tunnel:
            for data in (b"\x00not HTTP", bytes(range(256)) * 1000):
                assert await tunnel.ask(data, len(data)) == data
        async with Tunnel.open(proxy, origin.host, origin.port) as refused:
            assert await refused.ask(b"\x00not HTTP", 1) == b""
        assert origin.accepted == 1


async def test_http_in_a_tunnel_is_cached_and_limited(proxy):
    """As node's fetch sends plain http: CONNECT, and cleartext inside."""
    async with ScriptedOrigin(CACHEABLE, host="127.0.0.6") as origin:
        for _ in range(2):
            async with Tunnel.open(proxy, origin.host, origin.port) as tunnel:
                status, _, body = await tunnel.get("/page", f"{origin.host}:{origin.port}")
                assert (status, body) == (200, b"kept")
        async with Tunnel.open(proxy, origin.host, origin.port) as tunnel:
            status, fields, _ = await tunnel.get("/other", f"{origin.host}:{origin.port}")
            assert (status, fields["content-type"]) == (429, "application/problem+json")
        assert [seen.target for seen in origin.log] == ["/page"]


@pytest.mark.parametrize(("host", "tls"), [("127.0.0.7", False), ("127.0.0.8", True)])
async def test_a_websocket_costs_one_permit_and_is_refused_without(proxy, private_ca, host, tls):
    async with echoing_websockets(host, private_ca.certificate if tls else None) as url:
        await assert_echoes(url, proxy)
        with pytest.raises(websockets.InvalidStatus) as refusal:
            await assert_echoes(url, proxy)
    answered = refusal.value.response
    assert answered.status_code == 429
    assert answered.headers["Content-Type"] == "application/problem+json"
    assert 5 < int(answered.headers["Retry-After"]) <= 31


async def test_a_websocket_asked_of_the_proxy_itself_is_opened(proxy):
    """Without CONNECT: an absolute URL with an Upgrade field."""
    async with echoing_websockets("127.0.0.9") as url:
        upgrade = (
            f"GET {url.replace('ws:', 'http:')} HTTP/1.1\r\nHost: {url[5:-1]}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        writer.write(upgrade.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
        writer.close()
        await writer.wait_closed()


PYTHON = "import sys, urllib.request as r; r.urlopen(sys.argv[1])"
MISTRUSTFUL = {
    "curl": ["curl", "-sS"],
    "wget": ["wget", "-q", "-O", "-"],
    "python": [sys.executable, "-c", PYTHON],
}


@pytest.mark.parametrize(("client", "host"), [("curl", "127.0.0.10"), ("wget", "127.0.0.11"), ("python", "127.0.0.12")])
def test_a_client_that_does_not_trust_us_is_told_of_in_one_line_with_the_cure(proxy, client, host):
    environ = {"https_proxy": proxy.url, "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}
    before = len(proxy.log_lines())
    ended = subprocess.run(
        [*MISTRUSTFUL[client], f"https://{host}/"], env=environ, capture_output=True, check=False, timeout=60
    )
    assert ended.returncode != 0

    told = proxy.await_log(event="client_refused_certificate", host=host)
    assert (told["stage"], told["level"]) == ("tls", "warning")
    assert "does not trust" in told["message"]
    for cure in (str(proxy.ca), "sluicegate run --", f'https.tunnel: ["{host}"]'):
        assert cure in told["message"]
    loud = [line for line in proxy.log_lines()[before:] if line["level"] in ("warning", "error")]
    assert loud == [told]


async def test_through_a_parent_plain_http_is_relayed(child, parent):
    async with ScriptedOrigin(CACHEABLE) as origin:
        reply = await asyncio.to_thread(child.get, f"{origin.url}/plain")
        assert (reply.status, reply.body) == (200, b"kept")
        assert len(origin.log) == 1
        parent.await_log(event="access", url=f"{origin.url}/plain")


async def test_through_a_parent_https_is_intercepted_by_the_child_alone(child, parent, private_ca):
    async with (
        ScriptedOrigin(CACHEABLE, tls=private_ca.certificate, host="127.0.0.11") as origin,
        Tunnel.open(child, origin.host, origin.port) as tunnel,
    ):
        await tunnel.start_tls(trusting(child.ca), origin.host)
        for _ in range(2):
            assert (await tunnel.get("/", f"{origin.host}:{origin.port}"))[2] == b"kept"
        assert len(origin.log) == 1
        assert parent.await_log(event="access", host=origin.host)["method"] == "CONNECT"


async def test_through_a_parent_a_tunnel_is_a_tunnel(child, parent, private_ca):
    await assert_own_certificate(child, "127.0.0.14", private_ca)
    assert parent.await_log(event="access", host="127.0.0.14")["method"] == "CONNECT"


async def test_through_a_parent_any_bytes_are_carried(child, parent):
    async with (
        ScriptedOrigin(echo, host="127.0.0.13") as origin,
        Tunnel.open(child, origin.host, origin.port) as tunnel,
    ):
        assert await tunnel.ask(b"\x00not HTTP", 9) == b"\x00not HTTP"
        assert parent.await_log(event="access", host=origin.host)["method"] == "CONNECT"


@pytest.mark.parametrize(("host", "tls"), [("127.0.0.7", False), ("127.0.0.8", True)])
async def test_through_a_parent_websockets_work(child, parent, private_ca, host, tls):
    async with echoing_websockets(host, private_ca.certificate if tls else None) as url:
        await assert_echoes(url, child)
    assert parent.await_log(event="access", host=host)["method"] == "CONNECT"
