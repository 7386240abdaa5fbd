"""The secret of whoever may change what the proxy keeps: the admin API and PURGE ask for it."""

import hmac


class AdminToken:
    """Compared in constant time, and never shown."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def admits(self, presented: bytes) -> bool:
        """Whether this is the token."""
        return hmac.compare_digest(self._secret, presented)

    def __repr__(self) -> str:
        return "AdminToken(…)"
