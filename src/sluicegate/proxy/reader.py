"""From a client's bytes to requests: llhttp in strict mode, so that what is judged is what is sent on (RFC 9112)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import httptools

from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.steering import STEERING
from sluicegate.core.http import DEFAULT_PORTS, FieldList, Origin, RequestHead
from sluicegate.errors import BadRequest, ExchangeError, FieldsTooLarge
from sluicegate.proxy.feed import ClientBody

MAX_PORT = 65535

DECISIVE = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"expect", b"connection", b"proxy-connection", b"upgrade"}
)
"""Fields that decide about framing and routing."""
CONDITIONS = frozenset(
    {
        b"cache-control",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"pragma",
        b"range",
    }
)
"""Fields that have a say in which stored response may be used, or in how much of it is sent."""
_NAMED = DECISIVE | CONDITIONS | STEERING | {b"via", b"max-forwards"}
_ORDINARY = frozenset({b"host", b"connection", b"proxy-connection", b"upgrade"})
_READING = frozenset({"GET", "HEAD"})
_NONE: list[bytes] = []
_ABSOLUTE = re.compile(rb"(https?)://([^/?#]*)([^#]*)", re.IGNORECASE)
"""Scheme, authority, path with query; a fragment is cut off (RFC 3986 §3)."""

_PLAIN_TARGET = rb"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*"
_ABSOLUTE_LINE = re.compile(rb"(GET|HEAD) (http)://([A-Za-z0-9.-]+(?::[0-9]{1,5})?)(" + _PLAIN_TARGET + rb") HTTP/1\.1")
_ORIGIN_LINE = re.compile(rb"(GET|HEAD) ()()(" + _PLAIN_TARGET + rb") HTTP/1\.1")
"""Request lines about which there can be no two opinions: method, scheme and authority, path with query."""
_END = b"\r\n\r\n"

type MakeBody = Callable[[int | None], ClientBody]


@dataclass(slots=True)
class Incoming:
    """A request whose head is complete; its body may still be coming."""

    head: RequestHead
    body: ClientBody | None
    keep_alive: bool
    http_10: bool
    expects_continue: bool
    host_matches: bool
    """Host names the origin that is really asked; if not, the cache must keep out."""
    immediate: bool = False
    """GET or HEAD without a body, on a connection that goes on: may be answered without a conversation."""
    conditional: bool = False
    """A field has a say in which stored response may be used, or in how much of it is sent."""
    looked_at: float | None = None
    """When it was first tried to answer it (`Clock.now`)."""
    nothing: tuple[str, CacheOptions] | None = None
    """What came of that, where certainly nothing is stored; see `hits.Nothing`."""

    @property
    def complete(self) -> bool:
        """Whether all of it has come."""
        return self.body is None or self.body.ended


@dataclass(slots=True)
class Handover:
    """CONNECT or a protocol upgrade: these bytes, and all that follow, are for mitmproxy's own layers."""

    data: bytearray


@dataclass(slots=True)
class Fault:
    """The client's bytes are no HTTP; nothing after them can be read."""

    error: ExchangeError


type Parsed = Incoming | Handover | Fault


@dataclass(slots=True)
class _Partial:
    """A head while it is being parsed."""

    target: bytes = b""
    fields: FieldList = field(default_factory=list)
    known: dict[bytes, list[bytes]] = field(default_factory=dict)
    """The values of the fields that matter here, by lower-case name."""

    def size(self) -> int:
        """Bytes of the target and the header section."""
        return len(self.target) + sum(len(name) + len(value) + 4 for name, value in self.fields)

    def values(self, name: bytes) -> list[bytes]:
        """The values of a field that matters here."""
        return self.known.get(name, _NONE)

    def options(self) -> set[bytes]:
        """The connection options (RFC 9110 §7.6.1), in lower case."""
        if b"connection" not in self.known and b"proxy-connection" not in self.known:
            return set()
        values = self.values(b"connection") + self.values(b"proxy-connection")
        return {option for value in values for member in value.lower().split(b",") if (option := member.strip())}


@dataclass(slots=True)
class _Pattern:
    """A request without a body, and the bytes that came after its request line."""

    rest: bytes
    like: Incoming


class RequestReader:
    """Parses what one client connection sends. `parsed` fills in the order of arrival.

    A client mostly sends the same header section again and again. One that is byte for byte the last one, behind a
    request line about which there can be no doubt, means what it meant then, and does not go through llhttp again.
    """

    def __init__(self, *, tunnel_origin: Origin | None, header_limit: int, make_body: MakeBody) -> None:
        self.parsed: list[Parsed] = []
        self._tunnel_origin = tunnel_origin
        self._header_limit = header_limit
        self._make_body = make_body
        self._parser = httptools.HttpRequestParser(self)
        self._line = _ABSOLUTE_LINE if tunnel_origin is None else _ORIGIN_LINE
        self._pattern: _Pattern | None = None
        self._partial: _Partial | None = None
        self._open: Incoming | None = None
        self._final: Handover | Fault | None = None
        self._head_bytes = 0
        self._fed = 0

    def feed(self, data: bytes) -> None:
        """Parse `data`. Never raises: what cannot be parsed becomes a `Fault`, the last thing that is parsed."""
        between = self._partial is None and self._open is None and self._final is None
        if between and (again := self._like_the_last(data)) is not None:
            self.parsed.append(again)
            return
        before = len(self.parsed)
        self._parse(data)
        if between and len(self.parsed) == before + 1 and data.find(_END) == len(data) - len(_END):
            self._remember(data, self.parsed[before])

    def _like_the_last(self, data: bytes) -> Incoming | None:
        """The one request that `data` is, if all but its target is known."""
        pattern = self._pattern
        if pattern is None or not data.endswith(pattern.rest) or len(data) > self._header_limit:
            return None
        line = self._line.fullmatch(data, 0, len(data) - len(pattern.rest))
        if line is None:
            return None
        method, scheme, authority, target = line.groups()
        origin = self._tunnel_origin
        if origin is None:
            try:
                origin = _origin(scheme, authority)
            except BadRequest:
                return None
        like = pattern.like
        if origin is not like.head.origin and origin != like.head.origin:
            return None  # its Host is another's
        head = RequestHead(method.decode("ascii"), origin, target.decode("ascii"), [*like.head.fields])
        return Incoming(
            head,
            None,
            keep_alive=True,
            http_10=False,
            expects_continue=False,
            host_matches=like.host_matches,
            immediate=True,
            conditional=like.conditional,
        )

    def _remember(self, data: bytes, parsed: Parsed) -> None:
        """Keep what was parsed out of exactly `data`, for the next one like it."""
        if isinstance(parsed, Incoming) and parsed.immediate and parsed.complete:
            self._pattern = _Pattern(data[data.index(b"\r\n") :], parsed)

    def _parse(self, data: bytes) -> None:
        while data and self._final is None:
            self._fed = len(data)
            if self._open is None:
                self._head_bytes += len(data)
            try:
                self._parser.feed_data(data)
                rest = b""
            except httptools.HttpParserUpgrade as upgrade:
                rest = bytes(data[upgrade.args[0] :])
            except (httptools.HttpParserError, ExchangeError) as error:
                self._fail(error)
                return
            if self._partial is not None and self._head_bytes > self._header_limit:
                self._fail(_too_large(self._header_limit))
                return
            data = rest
        if data and isinstance(self._final, Handover):
            self._final.data += data

    def eof(self) -> None:
        """The client sends no more."""
        if self._open is not None and self._open.body is not None:
            self._open.body.abort()

    # llhttp calls these, in this order.

    def on_message_begin(self) -> None:
        self._partial = _Partial()

    def on_url(self, target: bytes) -> None:
        if self._partial is not None:
            self._partial.target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        if (partial := self._partial) is not None:
            partial.fields.append((name, value))
            if (lower := name.lower()) in _NAMED:
                partial.known.setdefault(lower, []).append(value)
        elif self._open is not None and self._open.body is not None:
            self._head_bytes += len(name) + len(value) + 4
            if self._head_bytes > self._header_limit:
                raise _too_large(self._header_limit)
            self._open.body.trailers.append((name, value))

    def on_headers_complete(self) -> None:
        partial, self._partial = self._partial, None
        most, self._head_bytes = self._head_bytes + self._fed, 0
        if partial is None:
            return
        if most > self._header_limit and partial.size() > self._header_limit:
            raise _too_large(self._header_limit)
        tunnels = self._parser.get_method() == b"CONNECT"
        if tunnels:
            split_authority(partial.target, 0)
        if tunnels or _changes_protocol(partial):
            self._final = Handover(_serialised(self._parser, partial))
            self.parsed.append(self._final)
            return
        self._open = self._incoming(partial)
        self.parsed.append(self._open)

    def on_body(self, data: bytes) -> None:
        if self._open is not None and self._open.body is not None:
            self._open.body.feed(data)

    def on_message_complete(self) -> None:
        if self._open is not None and self._open.body is not None:
            self._open.body.end()
        self._open = None
        self._head_bytes = 0

    def _incoming(self, partial: _Partial) -> Incoming:
        http_10 = self._parser.get_http_version() == "1.0"
        hosts = partial.values(b"host")
        if len(hosts) > 1 or (not hosts and not http_10):
            raise BadRequest("An HTTP/1.1 request needs exactly one Host field.", advice="See RFC 9112 §3.2.")
        method = self._parser.get_method().decode("ascii")
        origin, target = _addressed(partial.target, method, self._tunnel_origin)
        if self._tunnel_origin is None and hosts and hosts[0] != (named := origin.authority.encode("latin-1")):
            partial.fields = [(name, named if name.lower() == b"host" else value) for name, value in partial.fields]
        length, has_body = _framing(partial)
        keep_alive = self._parser.should_keep_alive() and b"close" not in partial.options()
        host_matches = self._tunnel_origin is None or not hosts or _same_host(hosts[0], origin)
        special = partial.known.keys() - _ORDINARY
        return Incoming(
            head=RequestHead(method, origin, target, partial.fields),
            body=self._make_body(length) if has_body else None,
            keep_alive=keep_alive,
            http_10=http_10,
            expects_continue=not http_10 and _expects_continue(partial),
            host_matches=host_matches,
            immediate=method in _READING and keep_alive and host_matches and not http_10 and special <= CONDITIONS,
            conditional=bool(special),
        )

    def _fail(self, error: Exception) -> None:
        cause = error.__context__ if isinstance(error.__context__, ExchangeError) else error
        if not isinstance(cause, ExchangeError):
            cause = BadRequest(f"The bytes are no valid HTTP/1.1 request: {error}.", advice="See RFC 9112.")
        if self._open is not None and self._open.body is not None:
            self._open.body.abort()
        self._final = Fault(cause)
        self.parsed.append(self._final)


def _expects_continue(partial: _Partial) -> bool:
    return any(value.lower() == b"100-continue" for value in partial.values(b"expect"))


def _too_large(limit: int) -> FieldsTooLarge:
    return FieldsTooLarge(
        f"The request line and header section are over {limit} bytes.", advice="Raise header_limit if this is meant."
    )


def _changes_protocol(partial: _Partial) -> bool:
    """Whether this request is for mitmproxy's layers: WebSocket, or another upgrade that has a body.

    Other upgrades (h2c) are ignored, as RFC 9110 §7.8 allows: Upgrade is hop-by-hop and goes no further. With a body
    llhttp takes that for the new protocol's bytes, so such a request must not be read on here.
    """
    protocols = [value.strip().lower() for value in partial.values(b"upgrade")]
    if not protocols or b"upgrade" not in partial.options():
        return False
    return b"websocket" in protocols or _framing(partial)[1]


def _framing(partial: _Partial) -> tuple[int | None, bool]:
    """Length and presence of the body; llhttp has refused contradictions by now (RFC 9112 §6.3)."""
    if partial.values(b"transfer-encoding"):
        return None, True
    lengths = partial.values(b"content-length")
    return (int(lengths[0]), True) if lengths else (None, False)


def _serialised(parser: httptools.HttpRequestParser, partial: _Partial) -> bytearray:
    """The head, written anew from what was parsed."""
    version = parser.get_http_version().encode()
    head = bytearray(parser.get_method() + b" " + partial.target + b" HTTP/" + version + b"\r\n")
    for name, value in partial.fields:
        head += name + b": " + value + b"\r\n"
    return head + b"\r\n"


def _addressed(target: bytes, method: str, tunnel_origin: Origin | None) -> tuple[Origin, str]:
    """The origin and the origin-form of a request target (RFC 9112 §3.2)."""
    if target.startswith(b"/") or target == b"*":
        if tunnel_origin is None:
            raise BadRequest(
                "This is a forward proxy: it answers requests for absolute URLs, not for its own paths.",
                advice="Set HTTP_PROXY to this address instead of opening it; the dashboard is on the admin address.",
            )
        return tunnel_origin, target.decode("latin-1")
    parts = _ABSOLUTE.match(target)
    if parts is None:
        raise BadRequest("The request target is no http or https URL.")
    path = parts[3]
    if not path.startswith(b"/"):
        path = b"*" if method == "OPTIONS" and not path else b"/" + path
    return _origin(parts[1], parts[2]), path.decode("latin-1")


@lru_cache(maxsize=4096)
def _origin(scheme: bytes, authority: bytes) -> Origin:
    name = scheme.lower().decode("ascii")
    host, port = split_authority(authority.rpartition(b"@")[2], DEFAULT_PORTS[name])
    return Origin(name, host, port)


def split_authority(authority: bytes, default_port: int) -> tuple[str, int]:
    """Host (lower case, without brackets) and port of `host[:port]`. Raises BadRequest.

    Which does not repeat what was found: of a target that is no URL, any part may be a secret.
    """
    host, port = authority, b""
    if authority.startswith(b"["):
        host, bracket, after = authority[1:].partition(b"]")
        if not bracket or (after and not after.startswith(b":")):
            raise BadRequest("The bracket around the host has no end, or is followed by no port.")
        port = after[1:]
    elif b":" in authority:
        host, _, port = authority.partition(b":")
    if not host or (port and not port.isdigit()) or not 0 < int(port or default_port) <= MAX_PORT:
        raise BadRequest(f"The request target names no host, or no port from 1 to {MAX_PORT}.")
    return host.decode("latin-1").lower().rstrip("."), int(port or default_port)


def _same_host(host: bytes, origin: Origin) -> bool:
    try:
        name, port = split_authority(host.strip(), DEFAULT_PORTS[origin.scheme])
    except BadRequest:
        return False
    return (name, port) == (origin.host, origin.port)
