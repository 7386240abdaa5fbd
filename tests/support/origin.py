"""A scriptable origin server on a real socket: it counts connections, logs requests, and misbehaves on command.

    async with ScriptedOrigin(answer(response(body=b"hello"))) as origin:      # one handler for all connections
        ... fetch origin.url + "/path" ...
        assert [request.target for request in origin.log] == ["/path"]

    async def cut_short(peer: Peer) -> None:                                   # a handler speaks raw bytes
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        peer.reset()

    ScriptedOrigin(script(cut_short, answer(response())))                      # first connection, all later ones

A handler is called once a connection; the connection is closed when it returns. An exception in a handler (other than
the peer's leaving) fails the test at the end of the `async with`. `ThreadedOrigin` is the same server in a thread of
its own, for tests that are not async or that start subprocesses.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import trustme

type Handler = Callable[["Peer"], Awaitable[None]]


@dataclass(slots=True)
class SeenRequest:
    """A request as it arrived. `at` is `time.monotonic()` when its head was complete; `body` fills as it is read."""

    at: float
    method: str
    target: str
    fields: list[tuple[bytes, bytes]]
    connection: int
    """Which connection it came on, counted from 1."""
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        """The first value of a field, None without it."""
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for key, value in self.fields if key.lower() == wanted), None)

    def count(self, name: str) -> int:
        """On how many lines a field stands."""
        wanted = name.lower().encode()
        return sum(key.lower() == wanted for key, _ in self.fields)


class Peer:
    """One accepted connection, in a handler's hand."""

    def __init__(
        self, server: "ScriptedOrigin", number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.number = number
        self.reader = reader
        self.writer = writer

    async def head(self) -> SeenRequest | None:
        """The next request's head, logged; None when the client has closed. The body is still unread."""
        try:
            block = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        line, *lines = block[:-4].split(b"\r\n")
        method, target, _version = line.decode("latin-1").split(" ")
        seen = SeenRequest(time.monotonic(), method, target, [_field(text) for text in lines], self.number)
        self.server.log.append(seen)
        self.server.notify()
        return seen

    async def pieces(self, seen: SeenRequest) -> AsyncIterator[bytes]:
        """The request's body as it comes, without keeping it (trailers land in `seen.trailers`)."""
        if (length := seen.get("content-length")) is not None:
            left = int(length)
            while left:
                piece = await self.reader.read(min(left, 256 * 1024))
                if not piece:
                    raise ConnectionResetError("the client cut its body short")
                left -= len(piece)
                yield piece
        elif seen.get("transfer-encoding") == "chunked":
            while size := int((await self.reader.readline()).split(b";")[0], 16):
                yield await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            while (line := (await self.reader.readline()).rstrip(b"\r\n")) != b"":
                seen.trailers.append(_field(line))

    async def request(self) -> SeenRequest | None:
        """The next request with its whole body; None when the client has closed."""
        seen = await self.head()
        if seen is not None:
            seen.body = b"".join([piece async for piece in self.pieces(seen)])
        return seen

    def send(self, data: bytes) -> None:
        """Write raw bytes."""
        self.writer.write(data)

    async def drain(self) -> None:
        """Wait until the client has taken most of what was written."""
        await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the client closes or resets, dropping whatever it still sends."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        """Cut the connection with a TCP RST once what was written is in the kernel's hands."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.strip()


def response(
    status: int = 200,
    body: bytes = b"",
    fields: Iterable[tuple[str, str]] = (),
    *,
    reason: str = "OK",
) -> bytes:
    """A well-formed response with a Content-Length."""
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1") + body


def answer(reply: bytes | Callable[[SeenRequest], bytes]) -> Handler:
    """A handler that answers every request of a connection with `reply`, or with what `reply` makes of it."""

    async def handle(peer: Peer) -> None:
        while (seen := await peer.request()) is not None:
            peer.send(reply if isinstance(reply, bytes) else reply(seen))
            await peer.drain()

    return handle


def once(data: bytes) -> Handler:
    """A handler that reads one request, sends `data` as it stands and closes."""

    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.send(data)

    return handle


async def hang(peer: Peer) -> None:
    """A handler that reads and never answers, until the client leaves."""
    await peer.gone()


def script(*handlers: Handler) -> Handler:
    """The first connection gets the first handler, and so on; the last handler serves all later ones."""

    async def handle(peer: Peer) -> None:
        await handlers[min(peer.number, len(handlers)) - 1](peer)

    return handle


class ScriptedOrigin:
    """The server. Attributes: `port`, `url`, `accepted` (connections so far), `open` (now), `log` (requests)."""

    def __init__(self, handler: Handler, *, tls: trustme.LeafCert | None = None, host: str = "127.0.0.1") -> None:
        self.handler = handler
        self.tls = tls
        self.host = host
        self.port = 0
        self.accepted = 0
        self.open = 0
        self.log: list[SeenRequest] = []
        self.errors: list[Exception] = []
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Scheme and authority, no trailing slash."""
        return f"{'http' if self.tls is None else 'https'}://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        context = None
        if self.tls is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.tls.configure_cert(context)
            context.set_alpn_protocols(["http/1.1"])
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=context, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        if self.errors and error is None:
            raise ExceptionGroup("a handler of the scripted origin failed", self.errors)

    async def until(self, condition: Callable[["ScriptedOrigin"], bool], deadline_s: float = 10.0) -> None:
        """Wait for a condition on this server, such as `lambda origin: origin.open == 0`; TimeoutError after that."""
        async with asyncio.timeout(deadline_s):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    def notify(self) -> None:
        """Make `until` look again; for handlers that change what a test's condition reads."""
        self._changed.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        self.open += 1
        self.notify()
        try:
            await self.handler(Peer(self, self.accepted, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            writer.close()
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await writer.wait_closed()
            self.open -= 1
            self.notify()
            self._tasks.discard(task)


class ThreadedOrigin:
    """`ScriptedOrigin` in a thread with an event loop of its own; `log`, `accepted`, `open` may be read any time.

    with ThreadedOrigin(answer(response(body=b"hello"))) as origin:
        subprocess.run(["curl", origin.url])
    """

    def __init__(self, handler: Handler, *, tls: trustme.LeafCert | None = None, host: str = "127.0.0.1") -> None:
        self._arguments = (handler, tls, host)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="scripted origin")
        self._failure: Exception | None = None

    async def _run(self) -> None:
        handler, tls, host = self._arguments
        try:
            async with ScriptedOrigin(handler, tls=tls, host=host) as self._origin:
                self._loop = asyncio.get_running_loop()
                self._stop = asyncio.Event()
                self._ready.set()
                await self._stop.wait()
        except Exception as failure:
            self._failure = failure
        finally:
            self._ready.set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._origin.port

    @property
    def url(self) -> str:
        """Scheme and authority, no trailing slash."""
        return self._origin.url

    @property
    def accepted(self) -> int:
        """Connections accepted so far."""
        return self._origin.accepted

    @property
    def open(self) -> int:
        """Connections open now."""
        return self._origin.open

    @property
    def log(self) -> list[SeenRequest]:
        """Every request so far, in order of arrival."""
        return self._origin.log

    def until(self, condition: Callable[[ScriptedOrigin], bool], deadline_s: float = 10.0) -> None:
        """`ScriptedOrigin.until`, from another thread."""
        asyncio.run_coroutine_threadsafe(self._origin.until(condition, deadline_s), self._loop).result()
