"""Which hosts' TLS is opened, and which is passed through untouched."""

from dataclasses import dataclass

TLS_FIRST_BYTE = 0x16
"""A TLS record of type handshake (RFC 8446 §5.1)."""

METHODS = (
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"PATCH",
    b"TRACE",
    b"CONNECT",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"SEARCH",
    b"REPORT",
    b"PURGE",
    b"QUERY",
    b"M-SEARCH",
    b"MERGE",
    b"NOTIFY",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"LINK",
    b"UNLINK",
    b"ACL",
    b"BIND",
    b"REBIND",
    b"UNBIND",
    b"MKCALENDAR",
    b"MKACTIVITY",
    b"CHECKOUT",
)


@dataclass(frozen=True, slots=True)
class Interception:
    """`https.mode` and `https.tunnel`, ready to be asked."""

    intercept: bool = True
    tunnel: tuple[str, ...] = ()
    """Host names, or `*.domain` for its subdomains; lower case."""

    def tunnels(self, host: str) -> bool:
        """Whether TLS to `host` is passed through."""
        name = host.lower().rstrip(".")
        return not self.intercept or any(_matches(pattern, name) for pattern in self.tunnel)


def _matches(pattern: str, name: str) -> bool:
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern


def starts_tls(data: bytes) -> bool:
    """Whether a tunnel's first bytes are TLS."""
    return data[:1] == bytes([TLS_FIRST_BYTE])


def starts_http(data: bytes) -> bool:
    """Whether first bytes are, or may become, an HTTP/1.1 request line with a method we know."""
    word, space, _ = data.partition(b" ")
    if space:
        return word in METHODS
    return any(method.startswith(data[: len(method)]) and len(data) <= len(method) for method in METHODS)
