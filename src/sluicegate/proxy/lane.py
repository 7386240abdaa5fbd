"""The lane: a mitmproxy layer that speaks HTTP/1.1 with a client and lets the engine answer.

mitmproxy gives it the client's plain bytes, on the proxy connection itself, inside a tunnel or inside intercepted TLS.
What is in memory and fresh is answered in the same call; every other request is a conversation with the engine. Where
nothing stands above the lane, it reads from and writes to the client's socket itself (`direct.Direct`), and mitmproxy is
only asked to close it, or to change the protocol. Inside a tunnel or TLS, bytes come as events, and what waits is one
blocking hook a piece (`NextPieceHook`), which pauses this layer alone. mitmproxy goes on delivering events meanwhile,
and `handle_event` looks at them at once: data is parsed into bounded buffers, a client that left is noticed. CONNECT and
upgrades are handed over to mitmproxy's own layers.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode

from sluicegate.core.http import Origin, RequestHead
from sluicegate.errors import ExchangeError
from sluicegate.proxy.client_stream import Receiver
from sluicegate.proxy.conversation import Conversation
from sluicegate.proxy.direct import TOGETHER, Direct
from sluicegate.proxy.feed import ClientBody
from sluicegate.proxy.outbox import Outbox, Sink
from sluicegate.proxy.reader import Fault, Handover, Incoming, RequestReader

MAX_PIPELINED = 64
"""Requests parsed ahead of the one being answered; beyond, the client is not read from."""
LINGER_S = 2.0
"""How long a refused upload is still read, so that the client gets to see the refusal (RFC 9112 §9.6)."""


class Host(Protocol):
    """What the lane needs of the addon that installed it."""

    @property
    def header_limit(self) -> int:
        """Bytes that a request line and header section may have together."""

    @property
    def draining(self) -> bool:
        """Whether connections end with the response under way."""

    def at_once(self, context: Context, incoming: Incoming) -> bytes | None:
        """The whole answer, where it is in memory and nothing need be waited for."""

    def converse(self, context: Context, incoming: Incoming, sink: Sink) -> Conversation:
        """A started conversation for a request."""

    def refuse(self, context: Context, error: ExchangeError, sink: Sink) -> Conversation:
        """A conversation that answers with `error`."""

    def direct(self, context: Context, receiver: Receiver, on_end: Callable[[], None]) -> Direct | None:
        """The client's socket; None where the bytes have to go through other layers."""

    def transport(self, context: Context) -> asyncio.Transport | None:
        """The client's transport; None once it is gone."""

    def left(self, context: Context) -> None:
        """The client that was handed over has closed its connection."""


@dataclass
class NextPieceHook(commands.StartHook):
    """Waits until the client can take more and the engine has more for it."""

    turn: "Turn"
    name = "sluicegate_next_piece"
    blocking = True

    def args(self) -> list["Turn"]:
        return [self.turn]


class Turn:
    """One conversation as the hook sees it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.outbox = Outbox()
        self.piece = b""
        self.last = False


class Step(Enum):
    """What the lane cannot do without mitmproxy."""

    HAND_OVER = auto()
    CLOSE = auto()


class Lane(layer.Layer):
    """Answers a client connection's requests, one after the other, in the order they came."""

    def __init__(self, context: Context, host: Host) -> None:
        super().__init__(context)
        self._host = host
        self._reader = RequestReader(
            tunnel_origin=_tunnel_origin(context), header_limit=host.header_limit, make_body=self._make_body
        )
        self._direct: Direct | None = None
        self._serving: Conversation | None = None
        self._served: Incoming | Fault | None = None
        self._ready: list[bytes] = []
        self._ready_size = 0
        self._child: layer.Layer | None = None
        self._held = False
        self._clogged = False
        self._ending = False
        self._roused = False
        self._closed = False
        self._lingering = False

    # What comes through mitmproxy.

    def handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        """Look at every event at once, paused or not; only what may run the generator goes further."""
        if self._child is not None:
            if isinstance(event, events.ConnectionClosed) and event.connection is self.context.client:
                self._host.left(self.context)
            yield from self._child.handle_event(event)
            return
        if isinstance(event, events.DataReceived):
            if self._lingering:
                return
            if self._direct is None and self._serving is None:
                self._direct = self._host.direct(self.context, self, self._conversation_ended)
            self._reader.feed(event.data)
            self._hold_or_go_on()
            if self._paused:
                return
        elif isinstance(event, events.ConnectionClosed):
            self._closed = True
            self._reader.eof()
            if self._serving is not None:
                self._serving.abandon()
            if self._paused:
                return
        yield from super().handle_event(event)

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        self._roused = False
        if isinstance(event, events.Wakeup):
            yield commands.CloseConnection(self.context.client)
            return
        if self._lingering and not self._closed:
            return
        while (step := self._advance()) is not None or self._ready:
            if self._ready:
                yield commands.SendData(self.context.client, self._take_ready())
            if isinstance(step, Turn):
                yield from self._carry(step)
                self._settle()
            elif step is Step.HAND_OVER:
                yield from self._hand_over()
                return
            elif step is Step.CLOSE:
                yield from self._close(self._served)
                return

    # What comes from the socket itself; see `direct`.

    def take(self, data: bytes) -> None:
        """Bytes from the client, past mitmproxy's reader."""
        if self._lingering or self._direct is None:
            return
        self._direct.heard()
        self._reader.feed(data)
        self._hold_or_go_on()
        if self._serving is None:
            self._go_on(self._direct)

    def clogged(self, clogged: bool) -> None:
        """A client that does not read what it asked for is not asked what else it wants."""
        self._clogged = clogged
        if not clogged and self._serving is None and self._direct is not None and not self._lingering:
            self._go_on(self._direct)

    def _conversation_ended(self) -> None:
        self._settle()
        if self._direct is not None:
            self._go_on(self._direct)

    def _go_on(self, direct: Direct) -> None:
        step = self._advance()
        while self._ready:
            direct.send(self._take_ready())
            step = self._advance()
        if step is not None and not self._roused:
            self._roused = True
            direct.rouse()

    # What happens either way.

    def _advance(self) -> "Turn | Step | None":
        """Answer and begin what can be; what mitmproxy is needed for, None if there is nothing."""
        reader = self._reader
        while reader.parsed and self._serving is None and not (self._ending or self._closed or self._clogged):
            parsed = reader.parsed[0]
            if isinstance(parsed, Handover):
                return Step.HAND_OVER
            full = self._ready_size > TOGETHER
            if full and self._direct is not None:
                return None
            del reader.parsed[0]
            self._hold_or_go_on()
            # Where it is full, a turn comes next, which waits for the client before its first piece.
            answer = None if full or isinstance(parsed, Fault) else self._host.at_once(self.context, parsed)
            if answer is not None:
                self._ready.append(answer)
                self._ready_size += len(answer)
            elif (turn := self._begin(parsed)) is not None:
                return turn
        return Step.CLOSE if self._serving is None and (self._ending or self._closed) else None

    def _begin(self, parsed: Incoming | Fault) -> "Turn | None":
        """Start a conversation. The turn that carries its pieces; None where it goes to the client by itself."""
        self._served = parsed
        turn = None
        sink: Sink
        if self._direct is None:
            turn = Turn(self.context)
            sink = turn.outbox
        else:
            self._direct.begin()
            sink = self._direct
        if isinstance(parsed, Fault):
            self._serving = self._host.refuse(self.context, parsed.error, sink)
        else:
            self._serving = self._host.converse(self.context, parsed, sink)
        return turn

    def _settle(self) -> None:
        """A conversation is over: another may follow, or it was the last."""
        conversation, self._serving = self._serving, None
        self._ending = conversation is None or conversation.close_after or self._host.draining

    def _take_ready(self) -> bytes:
        ready, self._ready, self._ready_size = self._ready, [], 0
        return ready[0] if len(ready) == 1 else b"".join(ready)

    def _carry(self, turn: Turn) -> layer.CommandGenerator[None]:
        while not turn.last:
            yield NextPieceHook(turn)
            if turn.piece and not self._closed:
                yield commands.SendData(self.context.client, turn.piece)

    def _close(self, parsed: Incoming | Fault | None) -> layer.CommandGenerator[None]:
        """Close; where the client may still be sending, let it first read what it was told."""
        unread = isinstance(parsed, Fault) or (parsed is not None and not parsed.complete)
        if isinstance(parsed, Incoming) and parsed.body is not None:
            parsed.body.discard()
        if self._closed or not unread:
            yield commands.CloseConnection(self.context.client)
            return
        self._lingering = True
        yield commands.CloseTcpConnection(self.context.client, half_close=True)
        yield commands.RequestWakeup(LINGER_S)

    def _hand_over(self) -> layer.CommandGenerator[None]:
        handover = self._reader.parsed.pop(0)
        if not isinstance(handover, Handover):
            raise TypeError(handover)
        if self._direct is not None:
            self._direct.restore()
        self.context.layers.remove(self)
        in_tunnel = self.context.server.address is not None
        self._child = HttpLayer(self.context, HTTPMode.transparent if in_tunnel else HTTPMode.regular)
        yield from self._child.handle_event(events.Start())
        yield from self._child.handle_event(events.DataReceived(self.context.client, bytes(handover.data)))

    def _make_body(self, length: int | None) -> ClientBody:
        return ClientBody(length, pause=self._reading(pause=True), resume=self._reading(pause=False))

    def _reading(self, *, pause: bool) -> Callable[[], None]:
        def act() -> None:
            transport = self._host.transport(self.context)
            if transport is None or transport.is_closing():
                return
            if pause:
                transport.pause_reading()
            elif not self._held:
                transport.resume_reading()

        return act

    def _hold_or_go_on(self) -> None:
        """Stop reading from a client that pipelines without end, and go on when it has been served."""
        hold = len(self._reader.parsed) > MAX_PIPELINED
        if hold:
            self._held = True
            self._reading(pause=True)()
        elif self._held:
            self._held = False
            self._reading(pause=False)()


def _tunnel_origin(context: Context) -> Origin | None:
    """The origin that CONNECT named; None on the proxy connection itself."""
    if context.server.address is None:
        return None
    host, port = context.server.address[0], context.server.address[1]
    return Origin("https" if context.client.tls else "http", host.lower().rstrip("."), port)


def placeholder(context: Context) -> RequestHead:
    """What stands for a request that could not be parsed."""
    return RequestHead("-", _tunnel_origin(context) or Origin("http", "-", 80), "/")
