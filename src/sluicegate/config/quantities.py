"""Quantities with units: durations, sizes, rates. Text in, a number in seconds or bytes out, and back."""

import re
from typing import Any

from sluicegate.config.leaf import Leaf, Unacceptable
from sluicegate.core.limits.model import Rate
from sluicegate.core.limits.rates import UNLIMITED, format_rate, parse_rates

DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SIZE_UNITS = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
RATE_FORMS = (
    'one rate or a list of rates, such as "10/second", "1/3second", "100/5min", ["5/second", "1000/hour"] '
    "(ms, second, minute, hour, day, week); or unlimited"
)

_QUANTITY = re.compile(r"(\d{1,18}(?:\.\d{1,15})?)\s*([A-Za-z]*)", re.ASCII)


def duration(minimum: str, maximum: str) -> Leaf:
    """A length of time between two bounds (inclusive); the value is in seconds."""
    low, high = parse_duration(minimum), parse_duration(maximum)

    def read(value: Any) -> float:
        seconds = parse_duration(value)
        if not low <= seconds <= high:
            raise Unacceptable("is too short" if seconds < low else "is too long")
        return seconds

    return Leaf(
        read,
        f"{minimum} to {maximum}, with a unit: ms, s, m, h, d (none: seconds)",
        show_duration,
        {"type": ["string", "number"]},
    )


def parse_duration(value: Any) -> float:
    """Seconds from `"500ms"`, `"60s"`, `"5m"`, `"1h"`, `"7d"`; a bare number is seconds. Unacceptable otherwise."""
    return _quantity(value, DURATION_UNITS, "s", "duration")


def show_duration(seconds: float) -> str:
    """A duration in the largest unit that shows it whole: 90.0 is `90s`, 3600.0 is `1h`, 0.5 is `500ms`."""
    for unit in ("d", "h", "m", "s"):
        if seconds and seconds % DURATION_UNITS[unit] == 0:
            return f"{seconds / DURATION_UNITS[unit]:.0f}{unit}"
    return f"{seconds * 1000:.12g}ms" if seconds else "0s"


def size(minimum: str, maximum: str) -> Leaf:
    """An amount of data between two bounds (inclusive); the value is in bytes."""
    low, high = parse_size(minimum), parse_size(maximum)

    def read(value: Any) -> int:
        amount = parse_size(value)
        if not low <= amount <= high:
            raise Unacceptable("is too small" if amount < low else "is too large")
        return amount

    return Leaf(
        read,
        f"{minimum} to {maximum}, with a unit: KiB, MiB, GiB, TiB, kB, MB, GB, TB (none: bytes)",
        show_size,
        {"type": ["string", "integer"]},
    )


def parse_size(value: Any) -> int:
    """Bytes from `"64KiB"`, `"512MB"`, `"10GiB"`; a bare number is bytes. Unacceptable otherwise."""
    return int(_quantity(value, SIZE_UNITS, "B", "size"))


def show_size(amount: int) -> str:
    """A size in the largest binary unit that shows it whole: 10737418240 is `10GiB`, 1000 is `1000B`."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if amount and amount % SIZE_UNITS[unit] == 0:
            return f"{amount // SIZE_UNITS[unit]}{unit}"
    return f"{amount}B"


def rates(value: Any) -> tuple[Rate, ...]:
    """One rate, a list of rates, or `unlimited` (no rates). Unacceptable otherwise."""
    if not isinstance(value, str | list) or value == []:
        raise Unacceptable("is not a rate")
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        raise Unacceptable("is a list with something in it that is not a rate")
    try:
        return parse_rates(value)
    except ValueError as error:
        raise Unacceptable(str(error).partition("; allowed:")[0]) from None


def show_rates(values: tuple[Rate, ...]) -> list[str] | str:
    """What `rates` reads to the same value."""
    return [format_rate(rate) for rate in values] or UNLIMITED


def _quantity(value: Any, units: dict[str, Any], bare: str, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unacceptable(f"is not a {what}")
    if isinstance(value, str) and value.startswith("-"):
        raise Unacceptable("must not be negative")
    if (match := _QUANTITY.fullmatch(str(value).strip())) is None:
        raise Unacceptable(
            "must not be negative" if isinstance(value, int | float) and value < 0 else f"is not a {what}"
        )
    number, unit = match.groups()
    if (unit or bare) not in units:
        raise Unacceptable(f"has an unknown unit {unit!r}")
    return float(number) * float(units[unit or bare])
