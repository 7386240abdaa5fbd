"""A client that refuses our certificate: said once, in one line, with the cure."""

from pathlib import Path

from sluicegate.core.events import Level, Notice, Stage

LEFT_AFTER_HANDSHAKE = "The client left right after the handshake, without a request."
UNTRUSTED = ("unknown ca", "bad certificate", "certificate unknown", "does not trust", LEFT_AFTER_HANDSHAKE.lower())


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
