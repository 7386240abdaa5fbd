"""The ways in which a request gets an answer, each told a sequence and giving back what its client was told."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mitmproxy import http
from mitmproxy.connection import Client, ConnectionState
from mitmproxy.test import tflow

from differential.sequences import Sequence, Step
from differential.worlds import HOST, ORIGIN, Told, WireClient, World
from sluicegate.core.access import AccessPolicy
from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.core.http import FieldList, RequestHead
from sluicegate.core.interception import Interception
from sluicegate.exchange.bodies import BytesBody
from sluicegate.exchange.call import Call, Identity
from sluicegate.exchange.hits import Hits, Nothing, Ready
from sluicegate.exchange.misses import Begun, Misses, OnDone
from sluicegate.proxy import wire
from sluicegate.proxy.addon import SluicegateAddon
from sluicegate.proxy.conversation import access_line
from sluicegate.proxy.hub import Services
from sluicegate.proxy.listener import listen_on
from sluicegate.proxy.server import ProxyServer
from sluicegate.proxy.wayside import Wayside

type Tell = Callable[[Sequence], Awaitable[list[Told]]]


class CountedHits(Hits):
    """Answers from memory, and how many there were."""

    answered = 0

    def answer(self, request: RequestHead, now: float, *, conditional: bool) -> Ready | Nothing | None:
        ready = super().answer(request, now, conditional=conditional)
        CountedHits.answered += isinstance(ready, Ready)
        return ready


class CountedMisses(Misses):
    """Misses that were sent without waiting, and how many of them did not have to look for what is stored."""

    spared = 0

    def begin(self, call: Call, request: RequestHead, done: OnDone) -> Begun | None:
        begun = super().begin(call, request, done)
        CountedMisses.spared += begun is not None and call.nothing is not None
        return begun


@dataclass(frozen=True)
class Lane:
    """A client on a real connection to the real server."""

    tunnel: bool = False
    """Through CONNECT, so that mitmproxy's layers are above the lane; else it has the socket itself."""
    pipelined: bool = False
    """All requests up to the clock's next step are sent before the first answer is read."""
    closing: bool = False
    """A connection for each request, which asks for its end."""
    in_place: bool = True
    """Fresh responses in memory are answered without a conversation, and misses that need not wait without a task."""

    @contextlib.asynccontextmanager
    async def __call__(self, world: World, confdir: Path) -> AsyncIterator[Tell]:
        addon = _addon(world, in_place=self.in_place)
        server = ProxyServer(addon, confdir=confdir, upstream_roots=None)
        with listen_on("127.0.0.1", 0) as listening:
            port = listening.getsockname()[1]
            await server.start(listening.dup())
        try:
            yield lambda sequence: self._told(world, port, sequence)
        finally:
            await server.close()

    async def _told(self, world: World, port: int, sequence: Sequence) -> list[Told]:
        told: list[Told] = []
        client = None
        for batch in self._batches(sequence):
            await world.clock.advance(batch[0].wait_s)
            client = client or await self._client(port)
            for step in batch:
                self._ask(client, step)
            told += [await client.told(step.method) for step in batch]
            if not told[-1].head:
                return told
            if self.closing:
                assert await client.end() == b""
                assert told[-1].head.pop() == b"Connection: close"
                await client.aclose()
                client = None
        if client is not None:
            await client.aclose()
        return told

    def _batches(self, sequence: Sequence) -> list[list[Step]]:
        batches: list[list[Step]] = []
        for step in sequence.steps:
            if self.pipelined and batches and not step.wait_s:
                batches[-1].append(step)
            else:
                batches.append([step])
        return batches

    async def _client(self, port: int) -> WireClient:
        client = await WireClient.connected(port)
        if self.tunnel:
            client.ask("CONNECT", f"{HOST}:80", [(b"Host", f"{HOST}:80".encode())], None)
            assert (await client.told("HEAD")).head[0].startswith(b"HTTP/1.1 200 ")
        return client

    def _ask(self, client: WireClient, step: Step) -> None:
        target = step.path if self.tunnel else f"http://{HOST}{step.path}"
        fields = step.whole_fields(HOST)
        if self.closing:
            fields.append((b"Connection", b"close"))
        client.ask(step.method, target, fields, step.body)


@contextlib.asynccontextmanager
async def engine_alone(world: World, _confdir: Path) -> AsyncIterator[Tell]:
    """The engine, and the framing of what it answers."""
    numbers = count()

    async def told(step: Step) -> Told:
        await world.clock.advance(step.wait_s)
        body = None if step.body is None else BytesBody(step.body)
        head = RequestHead(step.method, ORIGIN, step.path, step.whole_fields(HOST))
        call = Call(str(next(numbers)), "127.0.0.1", head, body)
        answer = await world.bench.engine.handle(call, _no_interim)
        framing = wire.Framing(answer, method=step.method, http_10=False, keep_alive=True)
        lines = framing.head(answer.head)[:-4].split(b"\r\n")
        pieces, trailers = [], b""
        if not framing.bodyless:
            while data := await answer.body.read():
                pieces.append(data)
            trailers = framing.end(answer.body.trailers).removeprefix(b"0\r\n")
        await answer.body.aclose()
        content = b"".join(pieces)
        world.bench.events.emit(access_line(call, answer.head.status, len(content), world.clock.now()))
        return Told(lines, content, trailers.split(b"\r\n")[:-2] if trailers else [])

    async def tell(sequence: Sequence) -> list[Told]:
        return [await told(step) for step in sequence.steps]

    yield tell


@contextlib.asynccontextmanager
async def flow_adapter(world: World, _confdir: Path) -> AsyncIterator[Tell]:
    """Requests that mitmproxy has parsed, answered as a whole. Chunks and trailers are told as a length instead."""
    addon = _addon(world, in_place=True)

    async def told(step: Step) -> Told:
        await world.clock.advance(step.wait_s)
        flow = _flow(step.method, step.path, step.whole_fields(HOST), step.body)
        await addon.request(flow)
        response = flow.response
        assert response is not None
        status = b"HTTP/1.1 %d %b" % (response.status_code, response.data.reason)
        lines = [b"%b: %b" % item for item in response.headers.fields]
        return Told([status, *lines], response.raw_content or b"")

    async def tell(sequence: Sequence) -> list[Told]:
        return [await told(step) for step in sequence.steps]

    yield tell


def without_chunks(told: Told) -> Told:
    """The same response where its length is known instead of its chunks."""
    lines = [
        b"Content-Length: %d" % len(told.body) if line == b"Transfer-Encoding: chunked" else line for line in told.head
    ]
    return Told(lines, told.body)


def _flow(method: str, path: str, fields: FieldList, body: bytes | None) -> http.HTTPFlow:
    request = http.Request(
        HOST,
        80,
        method.encode(),
        b"http",
        b"",
        path.encode(),
        b"HTTP/1.1",
        http.Headers(fields),
        body or b"",
        None,
        timestamp_start=0,
        timestamp_end=0,
    )
    client = Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), state=ConnectionState.OPEN)
    flow = tflow.tflow(req=request, client_conn=client)
    flow.response = None
    return flow


def _addon(world: World, *, in_place: bool) -> SluicegateAddon:
    bench = world.bench
    bench.engine.misses = CountedMisses(bench.engine.misses.cached) if in_place else None
    access = AccessPolicy()
    rules = bench.rules if in_place else RuleSet(CacheOptions(enabled=False))
    services = Services(
        bench.engine,
        CountedHits(store=bench.store, rules=rules, access=access),
        Wayside(gate=bench.gate, access=access, identity=Identity(b"me"), parent=None),
        Interception(),
        65536,
        Path("ca.pem"),
    )
    return SluicegateAddon(services, clock=world.clock, events=bench.events)


async def _no_interim(_head: object) -> None:
    """No origin of ours sends a 1xx."""


WAYS = {
    "engine alone": engine_alone,
    "lane": Lane(),
    "lane, conversations only": Lane(in_place=False),
    "lane, pipelined": Lane(pipelined=True),
    "lane, a connection each": Lane(closing=True),
    "tunnel": Lane(tunnel=True),
    "tunnel, conversations only": Lane(tunnel=True, in_place=False),
    "tunnel, pipelined": Lane(tunnel=True, pipelined=True),
    "flow adapter": flow_adapter,
}
