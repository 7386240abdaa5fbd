"""Asking for many URLs through the engine, some at the same time."""

import asyncio
import secrets
from collections.abc import Callable
from itertools import count

from sluicegate.core.http import FieldList
from sluicegate.core.urls import request_for
from sluicegate.exchange.asking import OWN_CLIENT, ask
from sluicegate.exchange.call import Call
from sluicegate.exchange.engine import Engine
from sluicegate.tasks import spawn
from sluicegate.warming.agenda import Agenda
from sluicegate.warming.lists import Wanted
from sluicegate.warming.results import Noted, Result, result_of
from sluicegate.warming.sitemap import MAX_BYTES, SitemapError

_REFRESH = (b"Cache-Control", b"no-cache")
_NOTHING_STALE = (b"Cache-Control", b"max-stale=0")
"""Without it, a stale answer might do while it is validated in the background (RFC 5861 §3), and this process may not outlive that."""
_FIRST_ERROR = 400


class Warmer:
    """The engine's events must not take the cache's decisions from its calls: see `Call.reason`.

    `fields` go with each request; with `refresh` the origin is asked even about what is fresh.
    """

    def __init__(self, engine: Engine, fields: FieldList, *, refresh: bool = False) -> None:
        self._engine = engine
        own = any(name.lower() == b"cache-control" for name, _ in fields)
        self._fields = [*fields, _REFRESH] if refresh else fields if own else [*fields, _NOTHING_STALE]
        self._run = secrets.token_hex(4)
        self._numbers = count(1)

    async def warm(self, agenda: Agenda, concurrency: int, on_result: Callable[[Result], None]) -> None:
        """Ask for all of it; each result is told as it comes. When cancelled, nothing goes on."""
        under_way: set[asyncio.Task[Result]] = set()
        try:
            while True:
                while len(under_way) < concurrency and (one := agenda.take()) is not None:
                    under_way.add(spawn(self._one(one), name=f"warm {one.url}"))
                if not under_way:
                    return
                done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    result = task.result()
                    agenda.done(result.wanted)
                    on_result(result)
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def fetch(self, url: str) -> bytes:
        """A sitemap, from the cache or its origin. Raises SluicegateError."""
        body = bytearray()

        def take(piece: bytes) -> None:
            body.extend(piece)
            if len(body) > MAX_BYTES:
                raise SitemapError(f"It has more than {MAX_BYTES} bytes.")

        asked = await ask(self._engine, self._call(url), take)
        if asked.error or asked.head.status >= _FIRST_ERROR:
            raise SitemapError(asked.detail or f"The origin answered {asked.head.status}.")
        return bytes(body)

    def _call(self, url: str) -> Call:
        return Call(f"warm-{self._run}-{next(self._numbers)}", OWN_CLIENT, request_for(url, self._fields))

    async def _one(self, wanted: Wanted) -> Result:
        call = self._call(wanted.url)
        asked = await ask(self._engine, call, read_hits=False)
        error = asked.detail or asked.error
        return result_of(
            wanted, Noted(asked.head.status, call.cache, call.reason, call.stored, error, asked.body_bytes)
        )
