"""Rates as people write them: `10/second`, `1/3second`, `100/5min`, `unlimited`."""

import re
from collections.abc import Iterable

from sluicegate.core.limits.model import Rate

ALLOWED = (
    'COUNT/[NUMBER]UNIT with a whole COUNT above 0 and UNIT one of ms, second, minute, hour, day, week, as in "10/second", '
    '"1/3second", "100/5min" or "5000/hour"; or "unlimited"'
)
"""What an error message says is allowed."""

UNLIMITED = "unlimited"

_UNITS_S = {
    0.001: ("ms", "millisecond", "milliseconds"),
    1.0: ("s", "sec", "secs", "second", "seconds"),
    60.0: ("m", "min", "mins", "minute", "minutes"),
    3_600.0: ("h", "hour", "hours"),
    86_400.0: ("d", "day", "days"),
    604_800.0: ("w", "week", "weeks"),
}
_SECONDS = {name: seconds for seconds, names in _UNITS_S.items() for name in names}
_SHOWN = ((604_800.0, "week"), (86_400.0, "day"), (3_600.0, "hour"), (60.0, "min"), (1.0, "second"))
_RATE = re.compile(r"(\d{1,12})\s*/\s*(\d{1,9}(?:\.\d{1,6})?)?\s*([a-z]+)", re.ASCII)
_SHORTEST_S = 0.001
_LONGEST_S = 400 * 86_400.0


def parse_rate(text: str) -> Rate:
    """One rate. Raises ValueError, which says what is allowed."""
    match = _RATE.fullmatch(text.strip().lower())
    if match is None or match[3] not in _SECONDS:
        raise ValueError(f"{text!r} is not a rate; allowed: {ALLOWED}")
    count = int(match[1])
    window_s = float(match[2] or 1) * _SECONDS[match[3]]
    if count < 1 or not _SHORTEST_S <= window_s <= _LONGEST_S:
        raise ValueError(f"{text!r} is out of range: a count of at least 1 in 1 ms to 400 days; allowed: {ALLOWED}")
    return Rate(window_s=window_s, count=count)


def parse_rates(value: str | Iterable[str]) -> tuple[Rate, ...]:
    """Rates that hold together, shortest window first; `unlimited` gives none.

    Takes a list of rates, or one string of rates between spaces or commas. Raises ValueError, which says what is allowed.
    """
    texts = _split(value) if isinstance(value, str) else [text for part in value for text in _split(part)]
    if texts == [UNLIMITED]:
        return ()
    if not texts:
        raise ValueError(f"no rate given; allowed: {ALLOWED}")
    if UNLIMITED in texts:
        raise ValueError(f"{UNLIMITED!r} stands alone, without other rates")
    return tuple(sorted({parse_rate(text) for text in texts}))


def format_rate(rate: Rate) -> str:
    """The rate as `parse_rate` reads it: `10/second`, `1/3second`."""
    for seconds, name in _SHOWN:
        number = rate.window_s / seconds
        if number >= 1 and number.is_integer():
            return f"{rate.count}/{'' if number == 1 else int(number)}{name}"
    return f"{rate.count}/{rate.window_s * 1_000:.10g}ms"


def format_rates(rates: Iterable[Rate]) -> str:
    """The rates in one line, or `unlimited`."""
    return " ".join(format_rate(rate) for rate in rates) or UNLIMITED


def _split(text: str) -> list[str]:
    joined = re.sub(r"\s*/\s*", "/", text.strip().lower())
    return [part for part in re.split(r"[\s,]+", joined) if part]
