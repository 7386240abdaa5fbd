"""Bodies of a gigabyte pass through a proxy whose memory stays where it was."""

import pytest

from support.origin import Peer, ThreadedOrigin, answer, response
from support.proxy import running_proxy, wait_until

GIB = 2**30
MIB = 2**20
ROOM = 80 * MIB
"""What the proxy's peak may rise by, whatever passes through it."""
BLOCK = bytes(MIB)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    limits = {"default": {"rates": "unlimited"}, "hosts": {"127.0.0.3": {"rates": ["1/2second"]}}}
    with running_proxy(tmp_path_factory.mktemp("streaming"), limits=limits) as running:
        with ThreadedOrigin(answer(response(body=b"warm"))) as origin:
            running.get(origin.url)
        yield running


def sending(size, *fields):
    """An origin that sends `size` zero bytes, to every request."""

    async def handle(peer: Peer) -> None:
        while await peer.request() is not None:
            peer.send("\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {size}", *fields, "", ""]).encode())
            for _ in range(size // MIB):
                peer.send(BLOCK)
                await peer.drain()

    return handle


async def counting(peer: Peer) -> None:
    """An origin that answers an upload with its size."""
    while (seen := await peer.head()) is not None:
        size = 0
        async for piece in peer.pieces(seen):
            size += len(piece)
        peer.send(response(body=b"%d" % size))


def ask(proxy, url, method="GET", *fields):
    """A connection with a request's head sent."""
    host = url.split("/")[2]
    return proxy.raw("\r\n".join([f"{method} {url} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode(), 60)


def head_of(connection):
    """The response's head; its body is still to be read."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = connection.recv(1)
        assert data, head
        head += data
    return head


def read(connection, size):
    """Read and drop that many bytes."""
    buffer = bytearray(MIB)
    left = size
    while left:
        count = connection.recv_into(buffer, min(left, MIB))
        assert count, f"the connection ended {left} bytes early"
        left -= count


def upload(connection, size):
    """Send that many bytes; what a time-out lets go before all are sent is returned."""
    sent = 0
    try:
        while sent < size:
            sent += connection.send(memoryview(BLOCK)[: size - sent])
    except TimeoutError:
        pass
    return sent


def settled(count):
    """A condition: `count()` is what it was at each of the last fifty looks."""
    seen = []

    def same():
        seen.append(count())
        return len(seen) > 50 and len(set(seen[-50:])) == 1

    return same


@pytest.mark.parametrize(
    ("size", "cache_control"),
    [(GIB, "no-store"), (128 * MIB, "max-age=600")],
    ids=["1-gib-uncacheable", "128-mib-stored"],
)
def test_a_download_leaves_memory_flat(proxy, size, cache_control):
    before = proxy.peak_rss()
    with ThreadedOrigin(sending(size, f"Cache-Control: {cache_control}")) as origin:
        for _ in range(2 if cache_control != "no-store" else 1):
            with ask(proxy, f"{origin.url}/download") as connection:
                assert head_of(connection).startswith(b"HTTP/1.1 200 ")
                read(connection, size)

        assert len(origin.log) == 1
    assert proxy.peak_rss() - before < ROOM


def test_a_chunked_download_leaves_memory_flat(proxy):
    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(256):
            peer.send(b"100000\r\n" + BLOCK + b"\r\n")
            await peer.drain()
        peer.send(b"0\r\n\r\n")

    before = proxy.peak_rss()
    with ThreadedOrigin(handle) as origin, ask(proxy, f"{origin.url}/", "GET", "Connection: close") as connection:
        head_of(connection)
        size = sum(len(data) for data in iter(lambda: connection.recv(MIB), b""))

    assert size > 256 * MIB
    assert proxy.peak_rss() - before < ROOM


def test_an_upload_of_1_gib_leaves_memory_flat(proxy):
    before = proxy.peak_rss()
    with (
        ThreadedOrigin(counting) as origin,
        ask(proxy, f"{origin.url}/upload", "PUT", f"Content-Length: {GIB}") as connection,
    ):
        assert upload(connection, GIB) == GIB
        assert head_of(connection).startswith(b"HTTP/1.1 200 ")
        assert connection.recv(20) == str(GIB).encode()

    assert proxy.peak_rss() - before < ROOM


def test_an_upload_of_1_gib_that_waits_at_a_limit_leaves_memory_flat(proxy):
    before = proxy.peak_rss()
    with ThreadedOrigin(counting, host="127.0.0.3") as origin:
        assert proxy.get(f"{origin.url}/first").status == 200
        with ask(proxy, f"{origin.url}/upload", "PUT", f"Content-Length: {GIB}") as connection:
            connection.settimeout(0.3)
            sent = upload(connection, GIB)
            assert len(origin.log) == 1, "the upload still waits"
            assert sent < 64 * MIB, "the proxy has taken more than it may hold"
            connection.settimeout(60)
            assert upload(connection, GIB - sent) == GIB - sent
            assert head_of(connection).startswith(b"HTTP/1.1 200 ")
            assert connection.recv(20) == str(GIB).encode()

    assert proxy.peak_rss() - before < ROOM


@pytest.mark.parametrize("cache_control", ["no-store", "max-age=600"])
def test_a_slow_reader_holds_the_origin_back_and_not_the_memory(proxy, cache_control):
    size, sent = 512 * MIB, []

    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nCache-Control: {cache_control}\r\n\r\n".encode())
        for _ in range(size // MIB):
            peer.send(BLOCK)
            await peer.drain()
            sent.append(MIB)

    before = proxy.peak_rss()
    with ThreadedOrigin(handle) as origin:
        with ask(proxy, f"{origin.url}/slowly-{cache_control}") as connection:
            head_of(connection)
            for _ in range(3):
                read(connection, 8 * MIB)
                wait_until(settled(lambda: len(sent)), "the origin to be held back")
        origin.until(lambda origin: origin.open == 0)
        line = proxy.await_log(event="access", url=f"{origin.url}/slowly-{cache_control}")

    assert line["error"] == "client_gone"
    assert sum(sent) < 96 * MIB, "hardly more than was read has left the origin"
    assert proxy.peak_rss() - before < ROOM
