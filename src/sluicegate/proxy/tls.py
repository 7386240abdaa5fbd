"""A client that refuses our certificate: said once, in one line, with the cure."""

from pathlib import Path

from mitmproxy import connection, tls

from sluicegate.core.events import Level, Notice, Stage
from sluicegate.proxy.hub import Hub, address_of, host_of

LEFT_AFTER_HANDSHAKE = "The client left right after the handshake, without a request."
SPEECHLESS_S = 2.0
"""Who leaves this soon after the handshake, without a request, does not trust us; browsers keep spare connections longer."""
UNTRUSTED = ("unknown ca", "bad certificate", "certificate unknown", "does not trust", LEFT_AFTER_HANDSHAKE.lower())


class TlsWatch:
    """A mitmproxy addon that watches clients meet our certificate."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._unheard: dict[str, tuple[str, float]] = {}

    def tls_failed_client(self, data: tls.TlsData) -> None:
        """The client ended the handshake, perhaps saying why."""
        error = data.conn.error or ""
        if error and error != "connection closed early":
            client = data.context.client
            self._tell(client, client.sni or host_of(data.context), error)

    def tls_established_client(self, data: tls.TlsData) -> None:
        """From here on a client that trusts us says something."""
        client = data.context.client
        self._unheard[client.id] = (client.sni or host_of(data.context), self._hub.clock.now())

    def heard_of(self, client: connection.Client) -> None:
        """The client has said something inside TLS."""
        self._unheard.pop(client.id, None)

    def client_disconnected(self, client: connection.Client) -> None:
        """Some clients (those on GnuTLS) look at our certificate after the handshake only, and leave without a word."""
        host, since = self._unheard.pop(client.id, ("", 0.0))
        if host and not self._hub.draining and self._hub.clock.now() - since < SPEECHLESS_S:
            self._tell(client, host, LEFT_AFTER_HANDSHAKE)

    def _tell(self, client: connection.Client, host: str, error: str) -> None:
        authority = self._hub.services.authority
        self._hub.events.emit(refused_certificate(error, host, address_of(client), authority))


def refused_certificate(error: str, host: str, client: str, authority: Path) -> Notice:
    """What to tell about a failed handshake with a client."""
    untrusted = any(sign in error.lower() for sign in UNTRUSTED)
    cure = (
        f"The client does not trust this proxy's certificate authority. Let it trust {authority} (`sluicegate ca` and "
        f"`sluicegate env` say how), start it with `sluicegate run -- …`, or leave the host alone: https.tunnel: "
        f'["{host}"].'
    )
    ended = f"The TLS handshake with the client ended: {error}"
    return Notice(
        Stage.TLS,
        "client_refused_certificate" if untrusted else "client_handshake_failed",
        Level.WARNING,
        cure if untrusted else ended,
        {"host": host, "client": client, "error": error},
    )
