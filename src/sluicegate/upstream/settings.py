"""What the pool can be told: timeouts, bounds, trust, and the way out."""

import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

type AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""One line of `getaddrinfo`: family, type, protocol, canonical name, socket address."""

type Resolve = Callable[[str, int], Awaitable[Sequence[AddressInfo]]]
"""Host and port to addresses. Raises `socket.gaierror` when there are none."""

type PermitAddress = Callable[[str], bool]
"""Whether a connection to this IP address may be opened. IPv4 addresses mapped into IPv6 come as IPv4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamPoolSettings:
    """How connections to origins are made, kept and given up. All times in seconds."""

    connect_timeout_s: float = 10.0
    """For name, TCP, the parent proxy's tunnel and TLS together."""
    first_byte_timeout_s: float = 60.0
    """From the last byte of the request to the response's head."""
    idle_timeout_s: float = 60.0
    """Between two pieces of a body, in either direction, while it is the origin's turn."""
    keepalive_s: float = 30.0
    """How long an idle connection is kept."""
    dns_cache_s: float = 30.0
    """How long a name's addresses are used before it is resolved again."""
    max_connections: int = 1000
    """Open to all origins together, or being opened; who needs one more waits."""
    max_idle_per_origin: int = 16
    max_idle: int = 512
    tls: ssl.SSLContext | None = None
    """From `client_context`; None: that of `client_context()`."""
    parent_proxy: str | None = None
    """`http://[user:password@]host[:port]`: all traffic goes through this proxy."""
    resolve: Resolve | None = None
    """Instead of the system's resolver."""
    permit_address: PermitAddress | None = None
    """Asked of every resolved address before it is connected to, so that a name cannot be rebound in between. A parent
    proxy resolves by itself: then only hosts that are addresses can be asked about."""
