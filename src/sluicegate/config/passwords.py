"""Hashes of passwords for `access.users`: scrypt (RFC 7914), from the standard library.

A hash reads `scrypt$n$r$p$salt$key`, salt and key in base64.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict

_N, _R, _P = 2**14, 8, 1
_SALT_BYTES = 16
_KEY_BYTES = 32
_MAX_MEMORY = 256 * 2**20
_REMEMBERED = 1_000


def hash_password(password: str) -> str:
    """A new hash of the password, with a salt of its own. Takes tens of milliseconds, on purpose."""
    salt = secrets.token_bytes(_SALT_BYTES)
    key = _derive(password, salt, _N, _R, _P)
    return "$".join(["scrypt", str(_N), str(_R), str(_P), _encode(salt), _encode(key)])


def verify_password(password: str, stored: str) -> bool:
    """Whether the password is the one that was hashed. False, too, for a hash that cannot be read."""
    try:
        scheme, n, r, p, salt, key = stored.split("$")
        if scheme != "scrypt":
            return False
        derived = _derive(password, base64.b64decode(salt, validate=True), int(n), int(r), int(p))
        return hmac.compare_digest(derived, base64.b64decode(key, validate=True))
    except (ValueError, binascii.Error):
        return False


class CachedVerifier:
    """`verify_password` that remembers what it found right, so that only a user's first request pays for scrypt.

    What is remembered is a keyed digest, in memory only: neither the password nor anything that tests it elsewhere.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(_KEY_BYTES)
        self._verified: OrderedDict[bytes, None] = OrderedDict()

    def __call__(self, password: str, stored: str) -> bool:
        digest = hmac.digest(self._secret, f"{stored}\0{password}".encode("utf-8", "surrogatepass"), "sha256")
        if digest in self._verified:
            self._verified.move_to_end(digest)
            return True
        if not verify_password(password, stored):
            return False
        self._verified[digest] = None
        if len(self._verified) > _REMEMBERED:
            self._verified.popitem(last=False)
        return True


def _derive(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"), salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=_KEY_BYTES
    )


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
