"""How old a stored response is and how long it is fresh (RFC 9111 §4.2)."""

from enum import Enum

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.control import Control
from sluicegate.core.caching.fields.directives import age_of, date_in, date_of
from sluicegate.core.http import ResponseHead

HEURISTICALLY_CACHEABLE = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
"""Statuses that may be fresh without saying so (RFC 9110 §15.1)."""

_HEURISTIC_FRACTION = 0.1
_HEURISTIC_MAX_S = 7 * 24 * 3600


class Source(Enum):
    """What a freshness lifetime was taken from, with the section that says so."""

    S_MAXAGE = ("s-maxage", "RFC 9111 §5.2.2.10")
    MAX_AGE = ("max-age", "RFC 9111 §5.2.2.1")
    EXPIRES = ("expires", "RFC 9111 §5.3")
    HEURISTIC = ("heuristic", "RFC 9111 §4.2.2")
    NOTHING = ("nothing", "RFC 9111 §4.2.1")

    def __init__(self, token: str, section: str) -> None:
        self.token = token
        self.section = section


EXPLICIT = frozenset({Source.S_MAXAGE, Source.MAX_AGE, Source.EXPIRES})
"""What the response itself says (§4.2.1)."""


def initial_age(entry: StoredEntry) -> float:
    """Seconds from when the origin generated or validated the response until it came here (§4.2.3)."""
    date = date_of(entry.response.fields, b"date", entry.response_time)
    apparent = 0 if date is None else max(0, int(entry.response_time) - date)
    delay = max(0.0, entry.response_time - entry.request_time)
    return max(apparent, age_of(entry.response.fields) + delay)


def lifetime(response: ResponseHead, control: Control, *, shared: bool, response_time: float) -> int:
    """For how many seconds of its age the response is fresh (§4.2.1); 0 when nothing says that it is."""
    return sourced_lifetime(response, control, shared=shared, response_time=response_time)[0]


def sourced_lifetime(
    response: ResponseHead, control: Control, *, shared: bool, response_time: float
) -> tuple[int, Source]:
    """The lifetime and what it was taken from."""
    explicit = _explicit_lifetime(response, control, shared=shared, response_time=response_time)
    if explicit is not None:
        return explicit
    if response.status in HEURISTICALLY_CACHEABLE or "public" in control.directives:
        return _heuristic_lifetime(response, response_time)
    return 0, Source.NOTHING


def forbids_stale(control: Control, *, shared: bool) -> bool:
    """Whether the response must not be used stale, whatever the client accepts (§4.2.4)."""
    directives = control.directives
    if "must-revalidate" in directives or directives.unqualified("no-cache"):
        return True
    return shared and ("proxy-revalidate" in directives or "s-maxage" in directives)


def allows_stale(control: Control, *, shared: bool) -> bool:
    """Whether the response itself says that it may be used stale (RFC 5861)."""
    directives = control.directives
    if "stale-while-revalidate" not in directives and "stale-if-error" not in directives:
        return False
    allowed_s = directives.seconds("stale-while-revalidate") or directives.seconds("stale-if-error")
    return bool(allowed_s) and not forbids_stale(control, shared=shared)


def _explicit_lifetime(
    response: ResponseHead, control: Control, *, shared: bool, response_time: float
) -> tuple[int, Source] | None:
    directives = control.directives
    if shared and (s_maxage := directives.seconds("s-maxage")) is not None:
        return s_maxage, Source.S_MAXAGE
    if (max_age := directives.seconds("max-age")) is not None:
        return max_age, Source.MAX_AGE
    if not control.heeds_expires or not response.get_all(b"expires"):
        return None
    expires = date_in(response, b"expires", response_time)
    return 0 if expires is None else max(0, expires - _generated(response, response_time)), Source.EXPIRES


def _heuristic_lifetime(response: ResponseHead, response_time: float) -> tuple[int, Source]:
    """A tenth of how long it had not changed, at most a week (§4.2.2)."""
    modified = date_in(response, b"last-modified", response_time)
    if modified is None:
        return 0, Source.NOTHING
    unchanged_s = max(0, _generated(response, response_time) - modified)
    return min(int(unchanged_s * _HEURISTIC_FRACTION), _HEURISTIC_MAX_S), Source.HEURISTIC


def _generated(response: ResponseHead, response_time: float) -> int:
    date = date_in(response, b"date", response_time)
    return int(response_time) if date is None else date
