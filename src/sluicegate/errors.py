"""Every error a user can meet, in one tree.

    SluicegateError
    ├── ConfigError              a configuration with problems, all of them at once          exit 2
    ├── StartError               the proxy cannot start: busy port, unwritable directory     exit 2
    ├── ExchangeError            one request cannot be answered by the origin; we answer
    │   ├── RequestError         the client's request is at fault
    │   │   ├── BadRequest            400
    │   │   ├── FieldsTooLarge        431
    │   │   ├── ProxyAuthRequired     407
    │   │   ├── DestinationForbidden  403
    │   │   ├── LoopDetected          508
    │   │   └── TokenRefused          403
    │   ├── CacheUnavailable     503: what the cache was to do for the admin it could not
    │   ├── Offline              504: no request may leave, and nothing is stored
    │   ├── LimitError           the limiter says no
    │   │   ├── QueueFull             429
    │   │   ├── WaitTooLong           429
    │   │   └── LimiterUnavailable    503
    │   └── UpstreamError        the origin, or the way to it, is at fault
    │       ├── NameNotResolved       502
    │       ├── NameTimeout           504
    │       ├── ConnectRefused        502
    │       ├── ConnectTimeout        504
    │       ├── TlsFailed             502
    │       │   └── TlsProtocolFailed 502
    │       ├── ParentProxyFailed     502
    │       ├── ResponseTimeout       504
    │       │   ├── BodyTimeout       504
    │       │   └── SendTimeout       504
    │       ├── ResponseMalformed     502
    │       └── ResponseCutShort      502, or a cut connection once the head is out
    ├── NotAUrl                  what was given as a URL is none that could be in the cache    exit 2
    ├── ClientGone               nobody waits for the answer any more; never answered
    └── StoreError               a store of ours failed; the cache treats it as a miss
        ├── CacheStoreError
        └── PermitStoreError
            └── PermitStoreBusy  another process holds the store for a moment; ask again

Each `ExchangeError` carries what its answer needs: the status, the Proxy-Status error type (RFC 9209 §2.3), what was
wrong, and what to do about it.
"""

from dataclasses import dataclass
from typing import ClassVar


class SluicegateError(Exception):
    """Base of the tree: `str(error)` is a sentence for people, `advice` says what to do (may be empty)."""

    advice: str = ""

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        if advice is not None:
            self.advice = advice


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration: where it stands, what was found and what is allowed."""

    key: str
    message: str
    source: str = ""
    line: int | None = None
    found: str = ""
    allowed: str = ""

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line is not None else self.source
        text = ": ".join(part for part in (place, self.key, self.message) if part)
        if self.found:
            text += f" (found {self.found})"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        return text


class ConfigError(SluicegateError):
    """A configuration that cannot take effect. `problems` lists everything wrong with it, not just the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class StartError(SluicegateError):
    """The proxy cannot start on this machine as it was asked to."""


class NotAUrl(SluicegateError):
    """What was given as a URL is no absolute http or https URL."""

    advice = "Write it with its scheme, as in https://example.org/path."


class ExchangeError(SluicegateError):
    """A request that gets its answer from us. The class says the status and the RFC 9209 error type."""

    status: ClassVar[int] = 502
    proxy_error: ClassVar[str] = "proxy_internal_error"
    title: ClassVar[str] = "The proxy could not answer this request"
    stage: ClassVar[str] = "upstream"

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Header fields that the answer carries besides those of every error."""
        return []

    def members(self) -> dict[str, object]:
        """Members of the problem+json body (RFC 9457) besides type, title, status and detail."""
        return {}


class RequestError(ExchangeError):
    """The client's own request is at fault."""

    status = 400
    proxy_error = "http_request_error"
    title = "The request is not acceptable"
    stage = "access"


class BadRequest(RequestError):
    """The bytes are no valid HTTP/1.1 request (RFC 9112)."""

    title = "The request is malformed"


class FieldsTooLarge(RequestError):
    """Request line or header section over the bound (RFC 6585 §5)."""

    status = 431
    title = "The request's header section is too large"


class ProxyAuthRequired(RequestError):
    """`access.users` is set and the request has no valid Proxy-Authorization (RFC 9110 §11.7.1)."""

    status = 407
    proxy_error = "http_request_denied"
    title = "Proxy authentication required"

    def fields(self) -> list[tuple[bytes, bytes]]:
        return [(b"Proxy-Authenticate", b'Basic realm="sluicegate", charset="UTF-8"')]


class DestinationForbidden(RequestError):
    """The destination is private, or the client may not use this proxy."""

    status = 403
    proxy_error = "destination_ip_prohibited"
    title = "This destination is not allowed"


class LoopDetected(RequestError):
    """The request has been through this proxy before (RFC 9110 §7.6.3)."""

    status = 508
    proxy_error = "proxy_loop_detected"
    title = "The request loops through this proxy"


class TokenRefused(RequestError):
    """Sluicegate-Token is there and is not the admin token."""

    status = 403
    proxy_error = "http_request_denied"
    title = "The admin token is not right"
    stage = "admin"


class CacheUnavailable(ExchangeError):
    """The store failed while the admin wanted something of it; for everything else that would be a miss."""

    status = 503
    title = "The cache could not be changed"
    stage = "cache"


class Offline(ExchangeError):
    """`cache.offline` is on: no request leaves, and nothing stored may answer this one."""

    status = 504
    proxy_error = "destination_unavailable"
    title = "The proxy is offline and has no answer stored"
    stage = "cache"
    advice = "Ask for it once while cache.offline is false, so that it is stored; or set cache.offline to false."

    def __init__(self, host: str) -> None:
        super().__init__(f"cache.offline is on, and nothing is stored that may answer this request to {host}.")

    def fields(self) -> list[tuple[bytes, bytes]]:
        return [(b"Cache-Status", b"Sluicegate; detail=offline")]


class LimitError(ExchangeError):
    """The limiter refuses. `retry_after_s` is when a new attempt makes sense (seconds)."""

    status = 429
    proxy_error = "http_request_denied"
    title = "The limit of this host leaves no room for the request"
    stage = "rate-limiter"

    def __init__(self, message: str, *, limit: str, retry_after_s: float, advice: str | None = None) -> None:
        super().__init__(message, advice=advice)
        self.limit = limit
        self.retry_after_s = retry_after_s

    def fields(self) -> list[tuple[bytes, bytes]]:
        return [(b"Retry-After", b"%d" % max(1, -int(-self.retry_after_s // 1)))]

    def members(self) -> dict[str, object]:
        return {"limit": self.limit, "retry_after_s": round(self.retry_after_s, 3)}


class QueueFull(LimitError):
    """As many requests wait for this limit as `max_queue` allows."""


class WaitTooLong(LimitError):
    """The wait, predicted or already spent, is over `max_wait`."""


class LimiterUnavailable(LimitError):
    """The limiter's store cannot be asked; without it no permit is given."""

    status = 503
    proxy_error = "proxy_internal_error"
    title = "The limiter's store cannot be reached"


class UpstreamError(ExchangeError):
    """The origin, or the way to it, is at fault."""

    proxy_error = "destination_unavailable"
    title = "The origin could not be reached"


class NameNotResolved(UpstreamError):
    """DNS knows no address for the host."""

    proxy_error = "dns_error"
    title = "The origin's name could not be resolved"


class NameTimeout(UpstreamError):
    """DNS did not answer within `upstream.connect_timeout`."""

    status = 504
    proxy_error = "dns_timeout"
    title = "The origin's name was not resolved in time"


class ConnectRefused(UpstreamError):
    """Every address of the origin refused the connection or was unreachable."""

    proxy_error = "connection_refused"
    title = "The origin refused the connection"


class ConnectTimeout(UpstreamError):
    """No connection within `upstream.connect_timeout`, TLS included."""

    status = 504
    proxy_error = "connection_timeout"
    title = "The origin did not accept a connection in time"


class TlsFailed(UpstreamError):
    """The origin's certificate is not trusted."""

    proxy_error = "tls_certificate_error"
    title = "The origin's TLS certificate could not be verified"


class TlsProtocolFailed(TlsFailed):
    """The TLS handshake failed for another reason than the certificate."""

    proxy_error = "tls_protocol_error"
    title = "The TLS handshake with the origin failed"


class ParentProxyFailed(UpstreamError):
    """`upstream_proxy` refused the tunnel or could not be reached."""

    proxy_error = "connection_refused"
    title = "The parent proxy could not be used"


class ResponseTimeout(UpstreamError):
    """No response head within `upstream.first_byte_timeout`."""

    status = 504
    proxy_error = "http_response_timeout"
    title = "The origin did not answer in time"


class BodyTimeout(ResponseTimeout):
    """No byte of the response's body within `upstream.idle_timeout`."""

    proxy_error = "connection_read_timeout"
    title = "The origin stopped in the middle of its answer"


class SendTimeout(ResponseTimeout):
    """The origin took no byte of the request within `upstream.idle_timeout`."""

    proxy_error = "connection_write_timeout"
    title = "The origin did not take the request in time"


class ResponseMalformed(UpstreamError):
    """The origin's bytes are no valid HTTP/1.1 response."""

    proxy_error = "http_protocol_error"
    title = "The origin's answer is malformed"


class ResponseCutShort(UpstreamError):
    """The origin closed or reset the connection before its message was complete (RFC 9112 §8)."""

    proxy_error = "http_response_incomplete"
    title = "The origin's answer was cut short"
    untouched: bool = False
    """Not one byte of a response had come: on a reused connection an idempotent request may be sent again."""


class ClientGone(SluicegateError):
    """The client closed its connection: nobody waits for the answer."""


class StoreError(SluicegateError):
    """A store of ours failed."""


class CacheStoreError(StoreError):
    """The cache store failed: a miss for reads, nothing stored for writes."""


class PermitStoreError(StoreError):
    """The limiter's store failed: no permit is given (fail closed)."""


class PermitStoreBusy(PermitStoreError):
    """Another process holds the store for a moment; ask again shortly."""
