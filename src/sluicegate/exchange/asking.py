"""Requests of the proxy's own tools: made by the engine as any other, with nobody on the other end."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from sluicegate.core.http import ResponseHead
from sluicegate.errors import CacheStoreError, ExchangeError
from sluicegate.exchange.call import Call
from sluicegate.exchange.engine import Engine

OWN_CLIENT = "127.0.0.1"
"""Who asks, as the limiter's queue and the log see it."""
_LONGEST_PROBLEM = 64 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of a request; the rest is in its `Call`."""

    head: ResponseHead
    """The proxy's own where `error` is not empty."""
    body_bytes: int
    error: str = ""
    """The RFC 9209 type of what went wrong; empty when the answer is whole, whatever it says."""
    detail: str = ""
    """The same in a sentence."""


async def ask(
    engine: Engine, call: Call, take: Callable[[bytes], None] | None = None, *, read_hits: bool = True
) -> Asked:
    """Make the request and read the answer to its end; the pieces of its body go to `take`, or nowhere.

    The body of what was stored already is left where it is unless `read_hits`. Raises what `take` raises; nothing is held then.
    """
    answer = await engine.handle(call, _no_interim)
    size, problem = 0, b""
    try:
        while (read_hits or call.cache != "hit") and (piece := await answer.body.read()):
            size += len(piece)
            if call.error and size <= _LONGEST_PROBLEM:
                problem += piece
            elif take is not None:
                take(piece)
    except ExchangeError as error:
        return Asked(answer.head, size, error.proxy_error, str(error))
    except CacheStoreError as error:
        return Asked(answer.head, size, ExchangeError.proxy_error, str(error))
    finally:
        await answer.body.aclose()
    return Asked(answer.head, size, call.error, _detail(problem))


def _detail(problem: bytes) -> str:
    """What an answer of our own (RFC 9457) says in a sentence or two."""
    try:
        document = json.loads(problem)
    except ValueError:
        return ""
    return " ".join(str(document[member]) for member in ("detail", "advice") if document.get(member))


async def _no_interim(_head: ResponseHead) -> None:
    """Nobody waits for a 1xx response."""
