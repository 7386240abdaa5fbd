"""Requests that mitmproxy's own HTTP layer has parsed, answered by the engine: bodies are held whole, and bounded.

They come here from HTTP/2 clients, from TLS on the proxy connection, and after an upgrade that the origin refused.
"""

import time

from mitmproxy import http

from sluicegate.core.framing import BODYLESS, without_framing
from sluicegate.core.http import FieldList, Origin, RequestHead, ResponseHead, get_all
from sluicegate.core.ports import BodyReader
from sluicegate.errors import ExchangeError
from sluicegate.exchange.bodies import BytesBody
from sluicegate.exchange.call import Answer, Call
from sluicegate.exchange.engine import Engine

MAX_BODY = 64 * 2**20
"""Bytes of a body that may be held; a larger one is refused, in either direction."""
_NO_CONTENT = 204


class BodyTooLarge(ExchangeError):
    """A response that this way cannot carry."""

    title = "The response is too large for this protocol"


def head_of(flow: http.HTTPFlow) -> RequestHead:
    """The request as the engine knows it."""
    request = flow.request
    origin = Origin(request.scheme or "http", request.host.lower().rstrip("."), request.port)
    fields: FieldList = [(name, value) for name, value in request.headers.fields if not name.startswith(b":")]
    return RequestHead(request.method, origin, request.path or "/", fields)


def names_its_origin(head: RequestHead) -> bool:
    """Whether Host, if there is one, is that of the origin that is asked; if not, the cache must keep out."""
    origin = head.origin
    names = {origin.authority, f"{origin.host}:{origin.port}"}
    return all(value.decode("latin-1").lower() in names for value in get_all(head.fields, b"host"))


def is_websocket(flow: http.HTTPFlow) -> bool:
    """Whether the client asks to change to WebSocket (RFC 6455 §4.1)."""
    return any(value.lower() == b"websocket" for value in get_all(list(flow.request.headers.fields), b"upgrade"))


async def answer(engine: Engine, flow: http.HTTPFlow, call: Call) -> None:
    """Let the engine answer `flow`. However it ends, nothing is held any more; raises what is no ExchangeError."""
    content = flow.request.raw_content
    call.body = BytesBody(content) if content else None
    reply = await engine.handle(call, _no_interim)
    try:
        set_response(flow, reply, await _whole(reply.body))
    except ExchangeError as error:
        set_response(flow, engine.refuse(call, error), None)
    finally:
        await reply.body.aclose()


async def _whole(body: BodyReader) -> bytes:
    pieces, size = [], 0
    while data := await body.read():
        pieces.append(data)
        size += len(data)
        if size > MAX_BODY:
            raise BodyTooLarge(
                f"The response is over {MAX_BODY} bytes.", advice="Ask for it over HTTP/1.1, where it is streamed."
            )
    return b"".join(pieces)


def set_response(flow: http.HTTPFlow, reply: Answer, content: bytes | None) -> None:
    """Give `flow` its response; `content` None: the answer's own, which is ready."""
    body = content if content is not None else _ready(reply)
    fields = reply.head.fields
    if reply.head.status == _NO_CONTENT:
        fields = without_framing(fields)  # RFC 9110 §8.6
    elif not (flow.request.method == "HEAD" or reply.head.status in BODYLESS):
        fields = [*without_framing(fields), (b"Content-Length", b"%d" % len(body))]
    now = time.time()
    flow.response = http.Response(
        b"HTTP/1.1",
        reply.head.status,
        reply.head.reason,
        http.Headers(fields),
        body,
        None,
        timestamp_start=now,
        timestamp_end=now,
    )


def _ready(reply: Answer) -> bytes:
    return reply.body.content if isinstance(reply.body, BytesBody) else b""


async def _no_interim(_head: ResponseHead) -> None:
    """Mitmproxy's layer cannot send a 1xx from here."""
