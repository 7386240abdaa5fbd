"""Stale answers of the real proxy: its origin is killed, silent, or out of bounds. Real sockets, and curl."""

import subprocess

import pytest

from support.origin import Peer, ThreadedOrigin, answer, response, script
from support.proxy import UNLIMITED, clean_environ, running_proxy

OLD = [("Cache-Control", "max-age=0"), ("ETag", '"v1"')]


def curl(proxy, url, *options):
    """The head and the body that curl gets, as text."""
    command = ["curl", "-sS", "-i", "--max-time", "15", "--proxy", f"http://127.0.0.1:{proxy.port}", *options, url]
    done = subprocess.run(command, env=clean_environ(), capture_output=True, check=True)
    head, _, body = done.stdout.decode().partition("\r\n\r\n")
    return head, body


def status_line(proxy, request):
    """The first line of what the proxy answers."""
    with proxy.raw(request.encode()) as connection, connection.makefile("rb") as answered:
        return answered.readline()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    stale = {"answer_after": "200ms"}
    with running_proxy(tmp_path_factory.mktemp("stale"), limits=UNLIMITED, cache={"stale": stale}) as running:
        yield running


def test_when_the_origin_is_killed_curl_gets_what_is_stored(proxy):
    with ThreadedOrigin(answer(response(body=b"hello", fields=OLD))) as origin:
        url = f"{origin.url}/a"
        assert curl(proxy, url)[1] == "hello"
    head, body = curl(proxy, url)
    ranged, part = curl(proxy, url, "-r", "1-2")
    like_pip, _ = curl(proxy, url, "-H", "Cache-Control: max-age=0")
    insisting, _ = curl(proxy, url, "-H", "Cache-Control: no-cache")

    assert body == "hello"
    assert "detail=stale-unreachable" in head
    assert ranged.startswith("HTTP/1.1 206 ")
    assert part == "el"
    assert like_pip.startswith("HTTP/1.1 200 ")
    assert insisting.startswith("HTTP/1.1 502 ")
    lines = [line for line in proxy.log_lines(event="access") if line["url"] == url]
    assert [line["cache"] for line in lines] == ["miss", "stale", "stale", "stale", "none"]


def test_when_the_origin_is_silent_curl_gets_what_is_stored_before_it_gives_up(proxy):
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    once = response(body=b"hello", fields=[*OLD, ("Connection", "close")])

    async def first(peer: Peer) -> None:
        await peer.request()
        peer.send(once)

    with ThreadedOrigin(script(first, silent)) as origin:
        url = f"{origin.url}/b"
        assert curl(proxy, url)[1] == "hello"
        head, body = curl(proxy, url)

        assert body == "hello"
        assert "detail=stale-slow" in head


def test_stale_while_revalidate_is_answered_from_memory_and_refreshed(proxy):
    versions = iter([b"one", b"two", b"three"])
    control = [("Cache-Control", "max-age=0, stale-while-revalidate=600")]
    with ThreadedOrigin(answer(lambda _seen: response(body=next(versions), fields=control))) as origin:
        url = f"{origin.url}/c"
        assert proxy.get(url).body == b"one"
        reply = proxy.get(url)
        origin.until(lambda server: len(server.log) == 2)
        proxy.await_log(event="refreshed", url=url)

        assert reply.body == b"one"
        assert "detail=stale-while-revalidate" in (reply.get("cache-status") or "")


def test_offline_nothing_leaves(tmp_path):
    with ThreadedOrigin(answer(response(body=b"hello", fields=OLD))) as origin:
        url = f"{origin.url}/d"
        with running_proxy(tmp_path, limits=UNLIMITED) as online:
            assert curl(online, url)[1] == "hello"
        accepted = origin.accepted
        with running_proxy(tmp_path, limits=UNLIMITED, cache={"offline": True}, https={"mode": "tunnel"}) as offline:
            head, body = curl(offline, url)
            posted, problem = curl(offline, url, "-d", "x")
            host = f"127.0.0.1:{origin.port}"
            tunnel = status_line(offline, f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n")
            websocket = status_line(
                offline,
                f"GET http://{host}/ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            )

            assert body == "hello"
            assert "detail=offline" in head
            assert posted.startswith("HTTP/1.1 504 ")
            assert "cache.offline" in problem
            assert tunnel.startswith(b"HTTP/1.1 504 ")
            assert websocket.startswith(b"HTTP/1.1 504 ")
        assert origin.accepted == accepted
