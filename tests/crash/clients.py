"""Clients that never stop asking, each on a connection to whichever proxy runs; some leave in the middle."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable

from crash.contents import PATHS, etag_of, size_of
from crash.ledger import Ledger, Reply
from crash.victim import Victim

_PATIENCE_S = 30.0
_PIECE = 64 * 1024

type OnPiece = Callable[[Reply, int | None], bool]
"""Told after each piece of a body how many bytes are to come, if that is known; False: leave."""
type Watch = Callable[[str, Reply, int | None], None]
"""Told of each piece of a path's body likewise; -1: a change was answered."""


def _read_on(_reply: Reply, _left: int | None) -> bool:
    return True


class Gate:
    """Where those who use the cache wait while it is to be left alone."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.busy = 0


class Connection:
    """One connection, opened when it is needed."""

    def __init__(self, victim: Victim) -> None:
        self._victim = victim
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def close(self) -> None:
        if self._stream is not None:
            self._stream[1].transport.abort()
            self._stream = None

    async def ask(self, method: str, url: str, fields: dict[str, str], on_piece: OnPiece = _read_on) -> Reply:
        """One request, and what came of its response."""
        reply = Reply()
        try:
            await self._victim.up.wait()
            async with asyncio.timeout(_PATIENCE_S):
                if self._stream is None:
                    self._stream = await asyncio.open_connection(*self._victim.address, limit=2**20)
                reader, writer = self._stream
                lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
                host = url.split("/")[2]
                writer.write(f"{method} {url} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode())
                await _receive(reader, method, reply, on_piece)
        except TimeoutError:
            reply.late = True
        except (OSError, asyncio.IncompleteReadError):
            self.close()
        if not reply.complete or reply.fields.get("connection", "") == "close":
            self.close()
        return reply


async def _receive(reader: asyncio.StreamReader, method: str, reply: Reply, on_piece: OnPiece) -> None:
    block = await reader.readuntil(b"\r\n\r\n")
    line, *lines = block[:-4].decode("latin-1").split("\r\n")
    reply.fields = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in lines)}
    reply.status = int(line.split(" ")[1])
    body: list[bytes] = []
    try:
        async for piece, left in _pieces(reader, method, reply):
            body.append(piece)
            if not on_piece(reply, left):
                return
        reply.complete = True
    finally:
        reply.body = b"".join(body)


async def _pieces(reader: asyncio.StreamReader, method: str, reply: Reply) -> AsyncIterator[tuple[bytes, int | None]]:
    """The body, and how much is to come after each piece. Raises OSError, IncompleteReadError."""
    if method == "HEAD" or reply.status == 304:
        return
    length = reply.fields.get("content-length")
    if length is not None:
        left = int(length)
        while left:
            if not (piece := await reader.read(min(left, _PIECE))):
                raise ConnectionError
            left -= len(piece)
            yield piece, left
        return
    assert reply.fields.get("transfer-encoding") == "chunked", reply
    while size := int((await reader.readuntil(b"\r\n"))[:-2], 16):
        yield await reader.readexactly(size), None
        await reader.readexactly(2)
    await reader.readexactly(2)


class Reader:
    """Asks for what the origin has, in all ways there are, and changes it now and then."""

    def __init__(
        self,
        url: str,
        connection: Connection,
        ledger: Ledger,
        gate: Gate,
        *,
        dice: random.Random,
        watch: Watch,
        overlap: bool,
    ) -> None:
        """With `overlap` a path is changed while it is asked for."""
        self._url = url
        self._connection = connection
        self._ledger = ledger
        self._gate = gate
        self._dice = dice
        self._watch = watch
        self._overlap = overlap
        self._seen: dict[str, str] = {}

    async def run(self) -> None:
        with contextlib.closing(self._connection):
            while True:
                await self._gate.open.wait()
                self._gate.busy += 1
                try:
                    await self._turn()
                finally:
                    self._gate.busy -= 1
                await asyncio.sleep(0)

    async def _turn(self) -> None:
        path, ledger = self._path(), self._ledger
        if path in ledger.changing:
            return
        may_change = self._overlap or (_is_changed(path) and not ledger.under_way[path])
        if may_change and self._dice.random() < 0.1:
            if not self._overlap:
                ledger.changing.add(path)
            try:
                await self._change(path)
            finally:
                ledger.changing.discard(path)
            return
        ledger.under_way[path] += 1
        try:
            await self._read(path)
        finally:
            ledger.under_way[path] -= 1

    async def _read(self, path: str) -> None:
        fields = self._fields(path)
        method = "HEAD" if self._dice.random() < 0.04 else "GET"
        asked = self._ledger.ask(method, path, fields)
        leaves = (self._overlap or not _is_changed(path)) and self._dice.random() < 0.12
        enough = self._dice.randrange(1, size_of(path, 0) + 2) if leaves else None
        came = 0

        def on_piece(reply: Reply, left: int | None) -> bool:
            nonlocal came
            self._watch(path, reply, left)
            came += _PIECE
            return enough is None or came < enough

        reply = await self._connection.ask(method, self._url + path, fields, on_piece)
        self._ledger.judge(asked, reply)
        if etag := reply.fields.get("etag"):
            self._seen[path] = etag

    async def _change(self, path: str) -> None:
        reply = await self._connection.ask("POST", self._url + path, {"Content-Length": "0"})
        if reply.complete and reply.status == 200:
            self._ledger.changed(path, int(reply.body))
            self._ledger.counts["changes"] += 1
            self._watch(path, reply, -1)

    def _path(self) -> str:
        """Some paths are asked for often, most seldom."""
        paths = PATHS[self._dice.choices("smrl", (50, 22, 14, 14))[0]]
        return paths[int(len(paths) * self._dice.random() ** 2)]

    def _fields(self, path: str) -> dict[str, str]:
        roll = self._dice.random()
        etag = self._seen.get(path, etag_of(path, 0))
        if roll < 0.12:
            first = self._dice.randrange(size_of(path, 0) + 1)
            last = first + self._dice.randrange(size_of(path, 0) + 1)
            ranges = (f"bytes={first}-{last}", f"bytes={first}-", f"bytes=-{last + 1}", f"bytes=0-{first}")
            fields = {"range": self._dice.choice(ranges)}
            return fields | ({"if-range": etag} if self._dice.random() < 0.3 else {})
        if roll < 0.16:
            return {"if-none-match": etag}
        return {"cache-control": "no-cache"} if roll < 0.18 else {}


def _is_changed(path: str) -> bool:
    """Whether this is one of those that are changed, without overlap; what is left half read is another one."""
    return int(path.split("/")[2]) % 2 == 0


class Presser:
    """Asks a limited origin for one thing after another."""

    def __init__(self, url: str, connection: Connection, *, dice: random.Random, waits_ms: tuple[int, int]) -> None:
        self._url = url
        self._waits_ms = waits_ms
        self._connection = connection
        self._dice = dice

    async def run(self) -> None:
        with contextlib.closing(self._connection):
            while True:
                wait_ms = self._dice.randint(*self._waits_ms)
                await self._connection.ask("GET", f"{self._url}/{wait_ms}/{self._dice.random()}", {})
                await asyncio.sleep(0)
