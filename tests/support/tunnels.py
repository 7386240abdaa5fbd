"""Going through a proxy by CONNECT, byte by byte.

async with Tunnel.open(proxy, "127.0.0.1", 80) as tunnel:
    assert tunnel.status == 200
    assert await tunnel.ask(b"ping", 4) == b"ping"
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any, Self

from support.proxy import Proxy

DEADLINE_S = 30


class Tunnel:
    """What CONNECT was answered with, and the connection behind it."""

    def __init__(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, *lines = head.decode("latin-1").rstrip().split("\r\n")
        self.status = int(line.split(" ")[1])
        self.fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._reader = reader
        self._writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, proxy: Proxy, host: str, port: int) -> AsyncIterator[Self]:
        """Ask `proxy` for a tunnel; whatever it answers."""
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        try:
            async with asyncio.timeout(DEADLINE_S):
                writer.write(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
            yield cls(head, reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def start_tls(self, context: ssl.SSLContext, host: str) -> ssl.SSLObject:
        """Shake hands with whoever is at the other end."""
        await self._writer.start_tls(context, server_hostname=host)
        return self._writer.get_extra_info("ssl_object")

    async def ask(self, data: bytes, count: int) -> bytes:
        """Send `data` and read `count` bytes, or what comes until the end."""
        async with asyncio.timeout(DEADLINE_S):
            self._writer.write(data)
            try:
                return await self._reader.readexactly(count)
            except asyncio.IncompleteReadError as error:
                return error.partial
            except ConnectionError:
                return b""

    async def get(self, target: str, host: str) -> tuple[int, dict[str, str], bytes]:
        """A request inside: status, fields, and the body, which needs a Content-Length."""
        async with asyncio.timeout(DEADLINE_S):
            self._writer.write(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            inner = Tunnel(await self._reader.readuntil(b"\r\n\r\n"), self._reader, self._writer)
            return inner.status, inner.fields, await inner.body()

    async def body(self) -> bytes:
        """The body of the answer, by its Content-Length."""
        return await self._reader.readexactly(int(self.fields.get("content-length", "0")))

    async def problem(self) -> dict[str, Any]:
        """The answer's problem+json."""
        assert self.fields["content-type"] == "application/problem+json"
        return json.loads(await self.body())
