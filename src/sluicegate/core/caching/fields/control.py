"""What governs the caching of a response: a targeted field, or Cache-Control and Expires (RFC 9213, RFC 9111 §5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import http_sf

from sluicegate.core.caching.fields.directives import UNREAD, Directives, are_too_long, directives_of
from sluicegate.core.http import ResponseHead

_DELTA_SECONDS = frozenset({"max-age", "s-maxage", "stale-if-error", "stale-while-revalidate"})


@dataclass(frozen=True, slots=True)
class Control:
    """The directives to obey, and whether Expires counts where they say nothing of freshness."""

    directives: Directives
    heeds_expires: bool = True


def control_of(response: ResponseHead, targeted: Sequence[bytes]) -> Control:
    """The first of the fields `targeted` (lower case) that is valid and not empty; else Cache-Control and Expires.

    A targeted field that counts stands in for both of these (RFC 9213 §2.2).
    """
    for name in targeted:
        if (lines := tuple(response.get_all(name))) and (directives := _targeted_directives(lines)):
            return Control(directives, heeds_expires=False)
    lines = tuple(response.get_all(b"cache-control"))
    return Control(UNREAD) if are_too_long(lines) else _plain(lines)


@lru_cache(maxsize=1024)
def _plain(lines: tuple[bytes, ...]) -> Control:
    """The control of Cache-Control's lines, made once for each spelling."""
    return Control(directives_of(lines))


def _targeted_directives(lines: tuple[bytes, ...]) -> Directives | None:
    """A Dictionary of directives (RFC 9213 §2.1); None when it is invalid or empty."""
    return UNREAD if are_too_long(lines) else _dictionary(lines)


@lru_cache(maxsize=1024)
def _dictionary(lines: tuple[bytes, ...]) -> Directives | None:
    try:
        members = http_sf.parse(b", ".join(lines), tltype="dictionary")
    except http_sf.StructuredFieldError:
        return None
    if not isinstance(members, dict) or not members:
        return None
    values = {name: member[0] if isinstance(member, tuple) else member for name, member in members.items()}
    return Directives({name: [_spelt(name, value)] for name, value in values.items() if value is not False})


def _spelt(name: str, value: object) -> bytes | None:
    """A member's value as Cache-Control has it; a lifetime that is no Integer is invalid, which makes it stale."""
    if value is True:
        return None
    return b"" if name in _DELTA_SECONDS and not isinstance(value, int) else str(value).encode("utf-8")
