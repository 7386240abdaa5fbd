"""The origin, in a process of its own: `python origin.py content|limited HOST NOTES`; prints its port, ends with stdin.

`content` has `contents.py`, and a version of each path that every POST raises. `limited` answers `/MILLISECONDS/...` so
much later, and notes when each request came and when it was over. The kernel says when it came (SO_TIMESTAMPNS), so a
busy machine makes no difference.
"""

import asyncio
import re
import select
import socket
import struct
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crash.contents import body_of, etag_of, is_chunked

_SO_TIMESTAMPNS = 35
_PIECE = 64 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Content:
    """The resources. Any response may be reused for ten minutes."""

    def __init__(self) -> None:
        self._versions: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                block = await reader.readuntil(b"\r\n\r\n")
                line, *lines = block[:-4].decode("latin-1").split("\r\n")
                method, path, _ = line.split(" ")
                fields = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in lines)}
                await reader.readexactly(int(fields.get("content-length", 0)))
                await self._answer(writer, method, path, fields)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, method: str, path: str, fields: dict[str, str]) -> None:
        if method == "POST":
            self._versions[path] += 1
            told = b"%d" % self._versions[path]
            writer.write(
                b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told)
            )
            return
        version = self._versions[path]
        body, etag = body_of(path, version), etag_of(path, version)
        head = f"ETag: {etag}\r\nCache-Control: max-age=600\r\n"
        if fields.get("if-none-match") == etag:
            writer.write(f"HTTP/1.1 304 Not Modified\r\n{head}\r\n".encode())
            return
        span = _span(fields, etag, len(body)) if method == "GET" else None
        if span is not None:
            head += f"Content-Range: bytes {span.start}-{span.stop - 1}/{len(body)}\r\n"
        chunked = is_chunked(path) and span is None
        part = body if span is None else body[span.start : span.stop]
        head += "Transfer-Encoding: chunked\r\n" if chunked else f"Content-Length: {len(part)}\r\n"
        writer.write(f"HTTP/1.1 {'200 OK' if span is None else '206 Partial Content'}\r\n{head}\r\n".encode())
        if method == "HEAD":
            return
        for start in range(0, len(part), _PIECE):
            piece = part[start : start + _PIECE]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await writer.drain()
            if len(part) > _PIECE:
                await asyncio.sleep(0.001)  # so that large bodies are under way for a while
        if chunked:
            writer.write(b"0\r\n\r\n")
        await writer.drain()


def _span(fields: dict[str, str], etag: str, length: int) -> range | None:
    """The bytes that a request asks for; None: all of them."""
    found = _RANGE.fullmatch(fields.get("range", ""))
    if found is None or fields.get("if-range", etag) != etag:
        return None
    first, last = found.groups()
    start = int(first) if first else max(0, length - int(last))
    end = min(length, int(last) + 1) if first and last else length
    return range(start, end) if start < end else None


class Limited:
    """A thread for each connection. A line of the notes is `CAME OVER answered|cut`, in Unix time."""

    def __init__(self, host: str, notes: Path) -> None:
        self._notes = notes.open("ab", buffering=0)
        self._listening = socket.create_server((host, 0), backlog=1024)
        self._listening.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.port = self._listening.getsockname()[1]

    def run(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            connection.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while self._answer(connection):
                    pass
            except ConnectionError:
                pass

    def _answer(self, connection: socket.socket) -> bool:
        data, came = b"", 0.0
        while b"\r\n\r\n" not in data:
            more, told, _, _ = connection.recvmsg(65536, 256)
            if not more:
                return False
            data += more
            seconds, nanoseconds = struct.unpack("qq", told[0][2])
            came = seconds + nanoseconds / 1e9
        wait_ms = int(data.split(b"/", 2)[1])
        gone = bool(wait_ms and select.select([connection], [], [], wait_ms / 1000)[0])
        self._notes.write(f"{came:.6f} {time.time():.6f} {'cut' if gone else 'answered'}\n".encode())
        if not gone:
            connection.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok")
        return not gone


async def _serve_content(host: str) -> None:
    server = await asyncio.start_server(Content().serve, host, 0, limit=2**20, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _serve_limited(host: str, notes: Path) -> None:
    limited = Limited(host, notes)
    threading.Thread(target=limited.run, daemon=True).start()
    print(limited.port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1] == "content":
        asyncio.run(_serve_content(sys.argv[2]))
    else:
        _serve_limited(sys.argv[2], Path(sys.argv[3]))
