"""Clients by the dozen: coroutines that speak HTTP/1.1 with the proxy, each on a connection of its own.

async with Client(proxy) as client:
    reply = await client.ask(origin.url + "/a")          # on one connection, kept alive

replies = await crowd(proxy, urls)                       # one client for each URL, all at once
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from support.origin import Peer, response
from support.proxy import Proxy, Reply


class Client:
    """One connection to the proxy, opened at the first request."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream[1].close()
            with contextlib.suppress(ConnectionError):
                await self._stream[1].wait_closed()

    async def ask(self, url: str, *, method: str = "GET", body: bytes = b"") -> Reply:
        """One request and its whole response, which needs a Content-Length."""
        if self._stream is None:
            self._stream = await asyncio.open_connection(self._proxy.host, self._proxy.port)
        reader, writer = self._stream
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        writer.write(f"{method} {url} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n{length}\r\n".encode() + body)
        block = await reader.readuntil(b"\r\n\r\n")
        line, *lines = block[:-4].decode("latin-1").split("\r\n")
        pairs = (text.partition(":") for text in lines)
        fields = [(name, value.strip()) for name, _, value in pairs]
        reply = Reply(int(line.split(" ")[1]), fields, b"")
        content = await reader.readexactly(int(reply.get("content-length") or 0))
        return Reply(reply.status, fields, content)


async def ask(proxy: Proxy, url: str, *, method: str = "GET", body: bytes = b"") -> Reply:
    """One request on a connection of its own. Cancelled, the client leaves."""
    async with Client(proxy) as client:
        return await client.ask(url, method=method, body=body)


async def crowd(proxy: Proxy, urls: Iterable[str]) -> list[Reply]:
    """One client for each URL, all at once; their replies in the order of the URLs."""
    return list(await asyncio.gather(*(ask(proxy, url) for url in urls)))


@contextlib.asynccontextmanager
async def pressing(proxies: Iterable[Proxy], urls: Iterator[str], clients: int) -> AsyncIterator[list[Reply]]:
    """Inside, `clients` clients at each proxy ask for `urls` one after another; their replies as they come.

    At the end whoever still waits leaves.
    """
    replies: list[Reply] = []

    async def press(proxy: Proxy) -> None:
        async with Client(proxy) as client:
            while (url := next(urls, None)) is not None:
                replies.append(await client.ask(url))

    pressing = [asyncio.ensure_future(press(proxy)) for proxy in proxies for _ in range(clients)]  # noqa: TID251 - awaited below
    try:
        yield replies
    finally:
        for task in pressing:
            task.cancel()
        for outcome in await asyncio.gather(*pressing, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


class Holding:
    """A handler for an origin that keeps every request until `release` is set; `now` and `most` count those kept."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.now = 0
        self.most = 0

    async def __call__(self, peer: Peer) -> None:
        while await peer.request() is not None:
            self.now += 1
            self.most = max(self.most, self.now)
            peer.server.notify()
            await self.release.wait()
            self.now -= 1
            peer.send(response(body=b"held"))
            await peer.drain()


def queue_at(proxy: Proxy, host: str) -> int:
    """How many requests wait for `host` at this moment."""
    return sum(limit["queue"] for limit in proxy.status()["limits"] if limit["key"] == host)
