"""TLS towards origins: whom we trust, sessions that are used again, and failures in words that help."""

import ssl
from collections import OrderedDict
from pathlib import Path
from typing import Self

import certifi

from sluicegate.errors import ConfigError, Problem, TlsFailed, TlsProtocolFailed

_MAX_SESSIONS = 1_000


class ResumingContext(ssl.SSLContext):
    """A client context that offers the last session it has for a host (RFC 8446 §2.2).

    asyncio has no way to hand a session in, but it opens each connection with `wrap_bio`, where one can be added.
    """

    _sessions: OrderedDict[str, ssl.SSLSession]

    def __new__(cls) -> Self:
        self = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        self._sessions = OrderedDict()
        return self

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        if session is None and isinstance(server_hostname, str):
            session = self._sessions.get(server_hostname)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def remember(self, connection: ssl.SSLObject) -> bool:
        """Keep the session of a connection that has carried an exchange (tickets come after the handshake).

        False if there is none that can be resumed.
        """
        host, session = connection.server_hostname, connection.session
        if host is None or session is None or not session.has_ticket:
            return False
        self._sessions[host] = session
        self._sessions.move_to_end(host)
        if len(self._sessions) > _MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return True


def client_context(upstream_ca: Path | None = None) -> ssl.SSLContext:
    """The context for connections to origins: certificates and host names are always verified.

    Trusted are the system's roots, those of certifi, and the PEM file `upstream_ca`. Raises ConfigError when that file
    cannot be read or holds no certificate.
    """
    context = ResumingContext()
    # VERIFY_X509_STRICT is left out on purpose: many private authorities do not pass it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["http/1.1"])
    context.load_default_certs()
    context.load_verify_locations(cafile=certifi.where())
    if upstream_ca is not None:
        try:
            context.load_verify_locations(cafile=upstream_ca)
        except OSError as error:
            raise ConfigError([_bad_authority(upstream_ca, error)]) from error
    return context


def _bad_authority(path: Path, error: OSError) -> Problem:
    message = "no certificate can be loaded from it" if isinstance(error, ssl.SSLError) else str(error.strerror)
    return Problem("https.upstream_ca", message, found=str(path), allowed="a readable file of PEM certificates")


def ended_cleanly(connection: ssl.SSLObject) -> bool:
    """Whether the peer closed with a close_notify. Without it, an end may be an attacker's (RFC 9112 §9.8)."""
    try:
        connection.read(1)
    except ssl.SSLError as error:
        return isinstance(error, ssl.SSLZeroReturnError)
    return True


_TRUST_IT = "If you trust this origin, add its root certificate to the file named by `https.upstream_ca`."
_WRONG_NAME = (
    "Ask for the name that stands in the certificate. `https.upstream_ca` cannot help: it adds roots, and never turns "
    "the check of the name off."
)
_CLOCK = "Compare this machine's clock; otherwise the origin's owner has to renew it (`https.upstream_ca` cannot help)."

_VERIFY_ERRORS: dict[int, tuple[str, str]] = {
    9: ("its certificate is not valid yet", _CLOCK),
    10: ("its certificate has expired", _CLOCK),
    18: ("its certificate is self-signed", _TRUST_IT),
    19: ("its certificate chain ends in a root that is not trusted", _TRUST_IT),
    20: ("its certificate was issued by an authority that is not trusted", _TRUST_IT),
    21: ("its certificate was issued by an authority that is not trusted", _TRUST_IT),
    62: ("its certificate is for another host name", _WRONG_NAME),
    64: ("its certificate is for another address", _WRONG_NAME),
}
"""OpenSSL's X509_V_ERR_… numbers."""


def _is_no_tls(error: ssl.SSLError) -> bool:
    return error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")


def tls_failed(place: str, error: OSError) -> TlsFailed:
    """The handshake's failure in words, with what to do about it. `place` is the origin's authority."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why, advice = _VERIFY_ERRORS.get(
            error.verify_code, (f"its certificate fails: {error.verify_message}", _TRUST_IT)
        )
        return TlsFailed(f"{place} is not trusted: {why}.", advice=advice)
    if isinstance(error, ssl.SSLError) and _is_no_tls(error):
        return TlsProtocolFailed(f"{place} does not speak TLS on this port.", advice="Try http:// instead of https://.")
    if isinstance(error, ssl.SSLError) and error.reason is not None:
        why = error.reason.replace("_", " ").lower()
        return TlsProtocolFailed(f"The TLS handshake with {place} failed: {why}.")
    return TlsProtocolFailed(f"{place} closed the connection during the TLS handshake.")
