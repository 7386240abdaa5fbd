"""Field values that caching reads: Cache-Control directives (RFC 9111 §5.2), dates (RFC 9110 §5.6.7), Age (§5.1)."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from math import inf

from sluicegate.core.http import FieldList, ResponseHead, get_all

_MEMBER = re.compile(rb'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)

MAX_LENGTH = 8192
"""Bytes of directives that are read; real ones take a few dozen."""
MAX_SECONDS = 2**31
"""Delta-seconds above this count as this (RFC 9111 §1.2.2)."""

_MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rb"[a-z]{3}, (?P<day>\d\d) (?P<month>[a-z]{3}) (?P<year>\d{4}) (?P<time>\d\d:\d\d:\d\d) GMT\Z",
        rb"[a-z]{6,9}, (?P<day>\d\d)-(?P<month>[a-z]{3})-(?P<year>\d\d) (?P<time>\d\d:\d\d:\d\d) GMT\Z",
        rb"[a-z]{3} (?P<month>[a-z]{3}) (?P<day>[ \d]\d) (?P<time>\d\d:\d\d:\d\d) (?P<year>\d{4})\Z",
    )
)
_TWO_DIGITS = 2
_AHEAD_S = 50 * 365.2425 * 24 * 3600
"""A date of a year in two digits is never further in the future than this (RFC 9110 §5.6.7)."""
_LONGEST_DATE = 40
_NO_NAMES: frozenset[bytes] = frozenset()
_OF_FIELDS = frozenset({"no-cache", "private"})
_LEAP_SECOND = 60


@dataclass(frozen=True, slots=True)
class Directives:
    """The directives of a Cache-Control field, every occurrence of each in order; None stands for no value."""

    values: dict[str, list[bytes | None]] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def unqualified(self, name: str) -> bool:
        """The directive stands without a value at least once, as in `no-cache` but not in `no-cache="foo"`.

        `no-cache` and `private` with a value that is no list of field names count as if they had none.
        """
        return None in self.values.get(name, ())

    def seconds(self, name: str) -> int | None:
        """Its first value (§4.2.1), 0 when that is no number of seconds: invalid freshness is stale; None if absent."""
        values = self.values.get(name)
        if not values:
            return None
        return _delta_seconds(values[0] or b"") or 0

    def field_names(self, name: str) -> frozenset[bytes]:
        """The field names, in lower case, that its qualified forms list (§5.2.2.4, §5.2.2.7)."""
        values = self.values.get(name)
        if not values:
            return _NO_NAMES
        return frozenset(part.strip().lower() for value in values if value for part in value.split(b",") if part)

    def serialised(self) -> str:
        """The same directives in the plainest spelling, a value always quoted if it is more than a token."""
        return ", ".join(_spell(name, value) for name, values in self.values.items() for value in values)


UNREAD = Directives({"no-store": [None], "no-cache": [None]})
"""Stands for directives that are not read."""


def cache_control(fields: FieldList) -> Directives:
    """The Cache-Control directives of a message; what is no directive is skipped."""
    return directives_of(tuple(get_all(fields, b"cache-control")))


def directives_of(lines: tuple[bytes, ...]) -> Directives:
    """The directives of Cache-Control's field lines; what is too long to be meant is taken to forbid everything."""
    return UNREAD if are_too_long(lines) else _parsed(lines)


def are_too_long(lines: tuple[bytes, ...]) -> bool:
    """Whether lines are longer than any that is meant: to read them, and to keep what they say, would cost too much."""
    length = 0
    for line in lines:
        length += len(line)
    return length > MAX_LENGTH


@lru_cache(maxsize=1024)
def _parsed(lines: tuple[bytes, ...]) -> Directives:
    values: dict[str, list[bytes | None]] = {}
    for line in lines:
        for member in _MEMBER.findall(line):
            name, equals, value = member.strip(b" \t").partition(b"=")
            if _TOKEN.match(name):
                values.setdefault(name.decode().lower(), []).append(_unquoted(value) if equals else None)
    for directive in _OF_FIELDS & values.keys():
        values[directive] = [names if _lists_names(names) else None for names in values[directive]]
    return Directives(values)


def parse_date(value: bytes, now: float = inf) -> int | None:
    """An HTTP-date in any of its three forms as Unix seconds, None when it is none (RFC 9110 §5.6.7).

    A year of two digits is one of this century, if that is at most 50 years after `now` (Unix seconds).
    """
    if len(value) > _LONGEST_DATE:
        return None
    found = _moment(value, 2000)
    return found if found is None or found <= now + _AHEAD_S else _moment(value, 1900)


@lru_cache(maxsize=1024)
def _moment(value: bytes, century: int) -> int | None:
    """The date, a year of two digits counted from `century`."""
    for pattern in _DATES:
        if match := pattern.match(value):
            return _unix_seconds(match, century)
    return None


def format_date(unix_s: float) -> bytes:
    """Unix seconds as an IMF-fixdate (RFC 9110 §5.6.7)."""
    return formatdate(int(unix_s), usegmt=True).encode()


def date_of(fields: FieldList, name: bytes, now: float = inf) -> int | None:
    """The date in a field's first line as Unix seconds; None when there is none or it is invalid."""
    values = get_all(fields, name)
    return parse_date(values[0], now) if values else None


def date_in(response: ResponseHead, name: bytes, now: float = inf) -> int | None:
    """The same of a response."""
    values = response.get_all(name)
    return parse_date(values[0], now) if values else None


def age_of(fields: FieldList) -> int:
    """The Age field in seconds: its first member, ignored when invalid (RFC 9111 §5.1)."""
    values = get_all(fields, b"age")
    return _delta_seconds(values[0].split(b",")[0].strip()) or 0 if values else 0


def _delta_seconds(value: bytes) -> int | None:
    if not value.isdigit():
        return None
    digits = value.lstrip(b"0")
    return MAX_SECONDS if len(digits) > len(str(MAX_SECONDS)) else min(int(digits or b"0"), MAX_SECONDS)


def _lists_names(value: bytes | None) -> bool:
    """Whether a directive's value names at least one field, and nothing but fields."""
    names = [name.strip() for name in (value or b"").split(b",") if name.strip()]
    return bool(names) and all(map(_TOKEN.match, names))


def _unquoted(value: bytes) -> bytes:
    if value.startswith(b'"'):
        return _ESCAPED.sub(rb"\1", value[1:].removesuffix(b'"'))
    return value


def _spell(name: str, value: bytes | None) -> str:
    if value is None:
        return name
    text = value.decode("latin-1")
    if _TOKEN.match(value):
        return f"{name}={text}"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{escaped}"'


def _unix_seconds(match: re.Match[bytes], century: int) -> int | None:
    month, year = match["month"].lower(), int(match["year"])
    if len(match["year"]) == _TWO_DIGITS:
        year += century
    hour, minute, second = (int(part) for part in match["time"].split(b":"))
    try:
        moment = datetime(year, _MONTHS.index(month) + 1, int(match["day"]), hour, minute, tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) + second if second <= _LEAP_SECOND else None
