"""A world for each way of asking: a clock, an origin, a store and an engine of its own, and what came of a sequence there."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256

from differential.scripted import Resources
from differential.sequences import START, Sequence
from sluicegate.clock import ManualClock
from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.caching.rules.queries import QueryRule
from sluicegate.core.caching.rules.rule_set import Rule, RuleSet
from sluicegate.core.events import Access, CacheDecided
from sluicegate.core.http import FieldList, Origin, RequestHead
from sluicegate.core.ports import CacheStore
from sluicegate.upstream.settings import UpstreamPoolSettings
from support.cache_stores import body_of, until
from support.engine import Bench, engine_bench
from support.origin import ScriptedOrigin

HOST = "origin.test"
"""What every client calls the origin, whatever port it has here."""
ORIGIN = Origin("http", HOST, 80)
RULES = (
    Rule(Overrides(ttl_s=5.0, force=True), paths=("*/a",)),
    Rule(Overrides(immutable=True, query=QueryRule(everything=True)), paths=("*/b",)),
    Rule(Overrides(ttl_s=20.0, ignore_client_no_cache=True), paths=("*~/d",)),
)
"""One for each path of a sequence's resources."""


@dataclass
class Told:
    """What a client was told in answer to one request: status line and fields as lines, content, trailers."""

    head: list[bytes]
    body: bytes
    trailers: list[bytes] = field(default_factory=list)

    def __repr__(self) -> str:
        lines = "\n    ".join(line.decode("latin-1") for line in [*self.head, *self.trailers])
        return f"\n    {lines}\n    {_brief(self.body)}"


@dataclass
class Story:
    """All that came of a sequence, each part a list that may be compared."""

    told: list[Told]
    lines: list[tuple]
    """What the access lines say."""
    decisions: list[tuple]
    """What the cache decided, as the log tells it."""
    reached: list[tuple]
    """What reached the origin."""
    kept: list[tuple]
    """What the store has at the end."""

    def difference(self, other: "Story") -> str:
        """The first difference; empty without one."""
        for part in ("told", "lines", "decisions", "reached", "kept"):
            ours, theirs = getattr(self, part), getattr(other, part)
            for number, (one, two) in enumerate(zip(ours, theirs, strict=False)):
                if one != two:
                    return f"{part}[{number}] should be {one!r}\n  and is {two!r}"
            if len(ours) != len(theirs):
                return f"{part}: {len(ours)} should be there, {len(theirs)} are: {ours!r}\n  against {theirs!r}"
        return ""


class World:
    """Where one way of asking lives."""

    def __init__(self, clock: ManualClock, origin: ScriptedOrigin, resources: Resources, bench: Bench) -> None:
        self.clock = clock
        self.bench = bench
        self._origin = origin
        self._resources = resources

    async def story(self, sequence: Sequence, tell: Callable[[Sequence], Awaitable[list[Told]]]) -> Story:
        """What comes of a sequence that `tell` tells."""
        for resource in sequence.resources:
            self._resources.add(resource)
        self.bench.events.events.clear()
        self._origin.log.clear()
        told = await tell(sequence)
        if all(one.head for one in told):
            await until(lambda: len(self._accesses()) == len(sequence.steps))
        return Story(
            told,
            [
                (line.method, line.url, line.status, line.bytes_sent, line.cache, line.limit_key, line.error, line.user)
                for line in self._accesses()
            ],
            [
                (event.url, event.outcome, event.reason, event.section, event.stored)
                for event in self.bench.events.of(CacheDecided)
            ],
            [(seen.method, seen.target, seen.fields, _brief(seen.body)) for seen in self._origin.log],
            [kept for resource in sequence.resources for kept in await self._kept(resource.path)],
        )

    def _accesses(self) -> list[Access]:
        return [line for line in self.bench.events.of(Access) if line.method != "CONNECT"]

    async def _kept(self, path: str) -> list[tuple]:
        store = self.bench.store
        found = []
        for entry in await store.entries(self.bench.rules.key(RequestHead("GET", ORIGIN, path))):
            request, response = entry.request, entry.response
            found.append(
                (
                    (entry.request_time, entry.response_time),
                    (request.method, request.url, request.fields),
                    (response.status, response.reason, response.fields),
                    entry.body_length,
                    _brief(await body_of(store, entry)),
                )
            )
        return sorted(found, key=repr)


def _brief(body: bytes) -> str:
    """A body in a few words, which no two share."""
    return f"({len(body)} bytes, {body[:12]!r}, {sha256(body).hexdigest()[:12]})"


@contextlib.asynccontextmanager
async def world(store: CacheStore, *, ruled: bool = False) -> AsyncIterator[World]:
    """A world around a store, which is closed with it. `ruled`: with rules of the user's own."""
    clock = ManualClock(wall=START)
    resources = Resources(clock)
    async with resources.origin() as origin:

        async def resolve(_host: str, _port: int) -> list:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", origin.port))]

        rules = RuleSet(CacheOptions(), RULES if ruled else ())
        pool = UpstreamPoolSettings(resolve=resolve)
        async with engine_bench(clock=clock, store=store, pool=pool, rules=rules) as bench:
            yield World(clock, origin, resources, bench)


class WireClient:
    """An HTTP/1.1 client that notes every byte of the heads it gets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    @classmethod
    async def connected(cls, port: int) -> "WireClient":
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**20))

    def ask(self, method: str, target: str, fields: FieldList, body: bytes | None) -> None:
        lines = [f"{method} {target} HTTP/1.1\r\n".encode(), *[b"%b: %b\r\n" % item for item in fields]]
        self.writer.write(b"".join([*lines, b"\r\n", body or b""]))

    async def told(self, method: str) -> Told:
        """The next response, to a request with this method; one without a head where what comes is none."""
        try:
            return await self._told(method)
        except (asyncio.IncompleteReadError, OSError, ValueError, LookupError) as error:
            return Told([], repr(error).encode())

    async def _told(self, method: str) -> Told:
        async with asyncio.timeout(10):
            block = await self._reader.readuntil(b"\r\n\r\n")
            lines = block[:-4].split(b"\r\n")
            framing = dict(line.lower().split(b": ", 1) for line in lines[1:])
            status = int(lines[0].split()[1])
            if method == "HEAD" or status in (204, 304):
                return Told(lines, b"")
            if framing.get(b"transfer-encoding") == b"chunked":
                return Told(lines, *await self._chunks())
            return Told(lines, await self._reader.readexactly(int(framing[b"content-length"])))

    async def end(self) -> bytes:
        """What comes until the connection is closed."""
        async with asyncio.timeout(10):
            return await self._reader.read()

    async def aclose(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()

    async def _chunks(self) -> tuple[bytes, list[bytes]]:
        pieces, trailers = [], []
        while size := int(await self._reader.readline(), 16):
            pieces.append(await self._reader.readexactly(size))
            assert await self._reader.readexactly(2) == b"\r\n"
        while (line := await self._reader.readline()) != b"\r\n":
            trailers.append(line.rstrip(b"\r\n"))
        return b"".join(pieces), trailers
