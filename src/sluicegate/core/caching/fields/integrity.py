"""Digests that come along with a response (RFC 9530): what its body has to be, to be worth keeping.

Only the two algorithms count that the RFC calls fit for adversarial settings (§5). A field that is malformed, or has
others only, says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import http_sf

from sluicegate.core.caching.fields.directives import are_too_long
from sluicegate.core.caching.parts.partial import PARTIAL_CONTENT
from sluicegate.core.http import ResponseHead

_CONTENT = b"content-digest"
_REPRESENTATION = b"repr-digest"
_ALGORITHMS = {"sha-512": "sha512", "sha-256": "sha256"}
"""The stronger one first, with its name in `hashlib`."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a response says of its body."""

    algorithm: str
    """As `hashlib` has it."""
    digest: bytes


def claim(response: ResponseHead) -> Claim | None:
    """What the response says of the body that it came with; None when it says nothing.

    `Content-Digest` is of the bytes that came (§2); so is `Repr-Digest`, unless they are a part (§3).
    """
    found = _claimed(response.get_all(_CONTENT))
    if found is None and response.status != PARTIAL_CONTENT:
        found = _claimed(response.get_all(_REPRESENTATION))
    return found


def _claimed(lines: Sequence[bytes]) -> Claim | None:
    if not lines or are_too_long(tuple(lines)):
        return None
    try:
        members = http_sf.parse(b", ".join(lines), tltype="dictionary")
    except http_sf.StructuredFieldError:
        return None
    if not isinstance(members, dict):
        return None
    for name, algorithm in _ALGORITHMS.items():
        member = members.get(name)
        value = member[0] if isinstance(member, tuple) else member
        if isinstance(value, bytes):
            return Claim(algorithm, value)
    return None
