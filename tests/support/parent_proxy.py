"""A small forward proxy on a real socket: CONNECT tunnels, and absolute-form requests relayed to where they point."""

import asyncio
from urllib.parse import urlsplit

from support.origin import Handler, Peer, SeenRequest


async def relay(peer: Peer) -> None:
    """A handler for `ScriptedOrigin` that makes it a proxy which lets everything through."""
    seen = await peer.head()
    if seen is None:
        return
    if seen.method == "CONNECT":
        host, _, port = seen.target.rpartition(":")
        first = b""
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        parts = urlsplit(seen.target)
        host, port = str(parts.hostname), str(parts.port)
        first = _origin_form(seen, parts.path)
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    try:
        writer.write(first)
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(peer.reader, writer))
            group.create_task(_copy(reader, peer.writer))
    except* ConnectionError:
        pass
    finally:
        writer.close()


def refuse(status: bytes) -> Handler:
    """A handler that answers every first request of a connection with this status line's rest."""

    async def handle(peer: Peer) -> None:
        await peer.head()
        peer.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    return handle


def _origin_form(seen: SeenRequest, path: str) -> bytes:
    fields = b"".join(b"%b: %b\r\n" % field for field in seen.fields if field[0] != b"Proxy-Authorization")
    return f"{seen.method} {path} HTTP/1.1\r\n".encode() + fields + b"\r\n"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
