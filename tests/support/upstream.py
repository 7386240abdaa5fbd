"""Talking to an upstream pool in tests: request bodies from memory, whole exchanges in one call."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from sluicegate.core.http import FieldList, Origin, RequestHead, ResponseHead
from sluicegate.core.ports import BodyReader, UpstreamPool
from sluicegate.upstream import Pool
from support.origin import ScriptedOrigin

type MakePool = Callable[..., Pool]
"""The fixture `make_pool`: settings in, a pool out that is closed after the test."""


class PieceBody:
    """A request body from pieces. `gate`, if given, is waited for before each piece after the first."""

    def __init__(
        self,
        pieces: Iterable[bytes],
        *,
        length: int | None = None,
        trailers: FieldList | None = None,
        gate: asyncio.Event | None = None,
        failure: Exception | None = None,
    ) -> None:
        self.length = length
        self.trailers: FieldList = trailers or []
        self.given = 0
        self._pieces = iter(pieces)
        self._gate = gate
        self._failure = failure

    async def read(self) -> bytes:
        if self.given and self._gate is not None:
            await self._gate.wait()
        piece = next(self._pieces, b"")
        if not piece and self._failure is not None:
            raise self._failure
        self.given += len(piece)
        return piece

    async def aclose(self) -> None:
        pass


@dataclass(slots=True)
class Fetched:
    """A response with its body read to the end."""

    head: ResponseHead
    body: bytes
    trailers: FieldList
    interims: list[ResponseHead]
    reused: bool


def address(origin: ScriptedOrigin) -> Origin:
    """The scripted origin, as the pool knows it."""
    return Origin("https" if origin.tls is not None else "http", origin.host, origin.port)


def get(origin: Origin, target: str = "/", *, method: str = "GET", fields: FieldList | None = None) -> RequestHead:
    """A request without a body."""
    return RequestHead(method, origin, target, fields or [])


async def no_interim(_: ResponseHead) -> None:
    """For exchanges that expect no 1xx, or do not care."""


async def pieces(body: BodyReader) -> AsyncIterator[bytes]:
    """A body, piece by piece."""
    while piece := await body.read():
        yield piece


async def fetch(pool: UpstreamPool, request: RequestHead, body: BodyReader | None = None) -> Fetched:
    """One exchange from connecting to the last byte."""
    connection = await pool.connect(request.origin)
    interims: list[ResponseHead] = []

    async def keep(head: ResponseHead) -> None:
        interims.append(head)

    response = await connection.exchange(request, body, keep)
    content = b"".join([piece async for piece in pieces(response.body)])
    return Fetched(response.head, content, response.body.trailers, interims, connection.reused)


async def eventually(condition: Callable[[], bool], deadline_s: float = 10.0) -> None:
    """Let the loop run until `condition()` holds; TimeoutError after the deadline."""
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.001)
