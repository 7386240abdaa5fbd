"""The parent proxy: where it is, and how to ask it for a tunnel (RFC 9110 §9.3.6)."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote_to_bytes, urlsplit

from sluicegate.core.http import FieldList, Origin
from sluicegate.errors import ParentProxyFailed, ResponseMalformed
from sluicegate.upstream.request import field_lines

_DEFAULT_PORT = 3128


@dataclass(frozen=True, slots=True)
class ParentProxy:
    """Another proxy that all traffic goes through."""

    host: str
    port: int
    fields: FieldList = field(default_factory=list, repr=False)
    """Proxy-Authorization, if the URL has credentials (RFC 7617). Secret."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """From `http://[user:password@]host[:port]`, port 3128 if not given. Raises ValueError, without the password."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("a parent proxy is written as http://[user:password@]host[:port]")
        fields: FieldList = []
        if parts.username is not None:
            pair = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
            fields.append((b"Proxy-Authorization", b"Basic " + b64encode(pair)))
        return cls(parts.hostname, parts.port or _DEFAULT_PORT, fields)

    @property
    def origin(self) -> Origin:
        """Its place, as an address to connect to."""
        return Origin("http", self.host, self.port)

    def connect_request(self, origin: Origin) -> bytes:
        """The CONNECT request for a tunnel to `origin`. The port is always told."""
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        authority = f"{host}:{origin.port}".encode("latin-1")
        return b"CONNECT %b HTTP/1.1\r\n%b\r\n" % (authority, field_lines([(b"Host", authority), *self.fields]))

    def refused(self, origin: Origin, status: int, reason: bytes) -> ParentProxyFailed:
        """The error for an answer to CONNECT that is no success."""
        answer = f"{status} {reason.decode('latin-1')}".strip()
        return ParentProxyFailed(
            f"The parent proxy {self.host}:{self.port} answered {answer} when asked for a tunnel to {origin.authority}.",
            advice=_CREDENTIALS if status == 407 else _ASK_PROXY,  # noqa: PLR2004 - the status says it best
        )

    def credentials_refused(self) -> ParentProxyFailed:
        """The error for 407 in answer to a request: it is ours to cure, not the client's."""
        return ParentProxyFailed(
            f"The parent proxy {self.host}:{self.port} asks for other credentials (407).", advice=_CREDENTIALS
        )

    def malformed(self, error: ResponseMalformed) -> ParentProxyFailed:
        """The error for an answer to CONNECT that is no HTTP."""
        return ParentProxyFailed(f"The parent proxy {self.host}:{self.port} does not speak HTTP: {error}")

    def unreachable(self, why: Exception) -> ParentProxyFailed:
        """The error for a parent that cannot be connected to."""
        return ParentProxyFailed(
            f"The parent proxy {self.host}:{self.port} cannot be reached: {why}",
            advice="Check `upstream_proxy` and that the proxy runs.",
        )


_CREDENTIALS = "Put the right user and password into `upstream_proxy`: http://user:password@host:port."
_ASK_PROXY = "Ask who runs the parent proxy whether it may connect there."
