"""Opening a connection: name, address, TCP, the parent proxy's tunnel, TLS."""

import asyncio
import errno
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import aiohappyeyeballs

from sluicegate.core.http import Origin, ResponseHead
from sluicegate.errors import (
    ConnectRefused,
    ConnectTimeout,
    DestinationForbidden,
    NameTimeout,
    ResponseCutShort,
    ResponseMalformed,
    UpstreamError,
)
from sluicegate.upstream.names import Names, system_resolve
from sluicegate.upstream.parent import ParentProxy
from sluicegate.upstream.response import Incoming
from sluicegate.upstream.routes import Routes
from sluicegate.upstream.settings import AddressInfo, UpstreamPoolSettings
from sluicegate.upstream.tls import tls_failed
from sluicegate.upstream.wire import Wire

_HAPPY_EYEBALLS_DELAY_S = 0.25
"""RFC 8305 §8."""
_NEVER_S = 86_400.0
"""For time-outs of asyncio's own that ours comes before."""
_TOO_MANY_FILES = "The process has too many open files: raise its limit (ulimit -n)."


class _Step(Enum):
    NAME = auto()
    CONNECT = auto()
    TUNNEL = auto()
    TLS = auto()


@dataclass(slots=True)
class _Attempt:
    """A connection being opened: to whom, and how far it has come."""

    origin: Origin
    on_lost: Callable[[Wire], None]
    name: str
    """What is resolved."""
    step: _Step = _Step.NAME

    def overdue(self, timeout_s: float) -> UpstreamError:
        """The error for a step that does not end."""
        place = self.origin.authority
        match self.step:
            case _Step.NAME:
                return NameTimeout(
                    f"The name {self.name} was not resolved within {timeout_s:g} s.", advice="Check this machine's DNS."
                )
            case _Step.CONNECT:
                return ConnectTimeout(
                    f"{place} did not accept a connection within {timeout_s:g} s.",
                    advice="Check that the host is up and not behind a firewall that drops packets.",
                )
            case _Step.TUNNEL:
                return ConnectTimeout(
                    f"The parent proxy did not open a tunnel to {place} within {timeout_s:g} s.",
                    advice="Ask who runs the parent proxy whether it can reach the host.",
                )
            case _Step.TLS:
                return ConnectTimeout(
                    f"{place} accepted a connection and did not finish the TLS handshake within {timeout_s:g} s.",
                    advice="Check that the host is well, and speaks TLS on this port.",
                )


class Dialer:
    """Opens connections, within `connect_timeout_s` all in all; whatever was opened is closed if it fails."""

    def __init__(self, settings: UpstreamPoolSettings, tls: ssl.SSLContext, parent: ParentProxy | None) -> None:
        self._settings = settings
        self._tls = tls
        self._parent = parent
        self._names = Names(settings.resolve or system_resolve, ttl_s=settings.dns_cache_s, now=time.monotonic)
        self._routes = Routes(time.monotonic)

    def configure(self, settings: UpstreamPoolSettings) -> None:
        """Use other times from now on; the resolver stays."""
        self._settings = settings
        self._names.ttl_s = settings.dns_cache_s

    def close(self) -> None:
        """Ask for no more names."""
        self._names.close()

    async def dial(self, origin: Origin, on_lost: Callable[[Wire], None]) -> Wire:
        """A new connection to `origin`, TLS done. Raises UpstreamError, or DestinationForbidden before connecting."""
        timeout_s = self._settings.connect_timeout_s
        attempt = _Attempt(origin, on_lost, (self._parent or origin).host)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._dial(attempt)
        except TimeoutError:
            raise attempt.overdue(timeout_s) from None

    async def _dial(self, attempt: "_Attempt") -> Wire:
        origin = attempt.origin
        if self._parent is None:
            wire = await self._open(attempt, await self._addresses(origin))
        else:
            self._permit_literal(origin.host)
            wire = await self._open_parent(self._parent, attempt)
        if origin.scheme == "https":
            try:
                if self._parent is not None:
                    attempt.step = _Step.TUNNEL
                    await _tunnel(wire, self._parent, origin)
                attempt.step = _Step.TLS
                await self._secure(wire)
            except BaseException:
                wire.abort()
                raise
        return wire

    async def _open_parent(self, parent: ParentProxy, attempt: "_Attempt") -> Wire:
        try:
            return await self._open(attempt, await self._resolve(parent.origin))
        except UpstreamError as error:
            raise parent.unreachable(error) from error

    async def _addresses(self, origin: Origin) -> Sequence[AddressInfo]:
        """Judged at each use, wherever they come from: a name may be bound to another address any time."""
        infos = await self._resolve(origin)
        permitted = [info for info in infos if self._permitted(str(info[4][0]))]
        if not permitted:
            raise _forbidden(origin.host)
        return permitted

    async def _resolve(self, origin: Origin) -> Sequence[AddressInfo]:
        literal = _literal(origin)
        if literal is not None:
            return [literal]
        return await self._names.addresses(origin.host, origin.port)

    def _permitted(self, address: str) -> bool:
        permit = self._settings.permit_address
        if permit is None:
            return True
        parsed = ipaddress.ip_address(address.partition("%")[0])
        mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
        return permit(str(mapped or parsed))

    def _permit_literal(self, host: str) -> None:
        """Through a parent, only addresses can be judged here; old spellings such as `127.1` are addresses too."""
        try:
            address = host if ":" in host else socket.inet_ntoa(socket.inet_aton(host))
        except OSError:
            return
        if not self._permitted(address):
            raise _forbidden(host)

    async def _open(self, attempt: "_Attempt", infos: Sequence[AddressInfo]) -> Wire:
        attempt.step = _Step.CONNECT
        loop = asyncio.get_running_loop()
        try:
            sock = await self._connected(infos)
            try:
                _, wire = await loop.create_connection(lambda: Wire(attempt.origin, attempt.on_lost), sock=sock)
            except BaseException:
                sock.close()
                raise
        except (OSError, RuntimeError) as error:
            raise _connect_failed(attempt.origin, error) from error
        return wire

    async def _connected(self, infos: Sequence[AddressInfo]) -> socket.socket:
        """A socket to the first address that accepts (RFC 8305 §5)."""
        tried: list[tuple[socket.socket, AddressInfo]] = []

        def make(info: AddressInfo) -> socket.socket:
            sock = socket.socket(*info[:3])
            tried.append((sock, info))
            return sock

        try:
            connected = await aiohappyeyeballs.start_connection(
                self._routes.order(infos),
                happy_eyeballs_delay=_HAPPY_EYEBALLS_DELAY_S,
                interleave=0,
                socket_factory=make,
            )
        except (OSError, RuntimeError):
            self._routes.report([info for _, info in tried], None)
            raise
        winner = next(info for sock, info in tried if sock is connected)
        self._routes.report([info for _, info in tried], winner)
        return connected

    async def _secure(self, wire: Wire) -> None:
        origin = wire.origin
        try:
            transport = await asyncio.get_running_loop().start_tls(
                wire.transport,
                wire,
                self._tls,
                server_hostname=origin.host.rstrip("."),
                ssl_handshake_timeout=_NEVER_S,
            )
        except OSError as error:
            raise tls_failed(origin.authority, error) from error
        if transport is None:
            raise tls_failed(origin.authority, ConnectionResetError())
        wire.transport = transport
        wire.secured = True


async def _tunnel(wire: Wire, parent: ParentProxy, origin: Origin) -> None:
    """Ask the parent for a tunnel on a connection to it (RFC 9110 §9.3.6)."""
    wire.holder = handshake = _Handshake(wire)
    wire.receiver = handshake.answer
    wire.transport.write(parent.connect_request(origin))
    try:
        head = await handshake.answer.final_head(_ignore, wait=lambda: None)
    except ResponseMalformed as error:
        raise parent.malformed(error) from error
    except ResponseCutShort as error:
        raise parent.unreachable(error) from error
    finally:
        wire.holder = wire.receiver = None
    if not 200 <= head.status < 300:  # noqa: PLR2004 - RFC 9110 §15.3 says it best
        raise parent.refused(origin, head.status, head.reason)


class _Handshake:
    """Holds a connection while its tunnel is made."""

    def __init__(self, wire: Wire) -> None:
        self.answer = Incoming(wire, "CONNECT", lambda _: None, idle_timeout_s=_NEVER_S)

    def closed(self, error: Exception | None, *, cleanly: bool) -> None:
        self.answer.closed(error, cleanly=cleanly)

    def check(self, now: float) -> None:
        """Nothing: the whole dial has its time-out."""


async def _ignore(_: ResponseHead) -> None:
    pass


def _literal(origin: Origin) -> AddressInfo | None:
    """The address of a host that is one, without a trip to the resolver's thread."""
    try:
        address = ipaddress.ip_address(origin.host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(address), origin.port))
    if address.scope_id is not None:
        return None
    return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(address), origin.port, 0, 0))


def _forbidden(host: str) -> DestinationForbidden:
    return DestinationForbidden(
        f"{host} is on a network that may not be reached through this proxy.",
        advice="Whoever runs the proxy can allow it with `access.allow_private`.",
    )


def _connect_failed(origin: Origin, error: OSError | RuntimeError) -> UpstreamError:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ETIMEDOUT:
        return ConnectTimeout(f"{origin.authority} did not accept a connection in time.")
    if number == errno.ECONNREFUSED:
        return ConnectRefused(f"{origin.authority} refused the connection.", advice="Check that a server runs there.")
    advice = _TOO_MANY_FILES if number in (errno.EMFILE, errno.ENFILE) else None
    return ConnectRefused(f"{origin.authority} cannot be connected to: {error}.", advice=advice)
