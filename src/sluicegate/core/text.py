"""Text for people: whatever comes from outside made harmless, and figures with units."""

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_PREFIX = {2: "\\x", 4: "\\u", 8: "\\U"}
_KIB = 1024
_HUNDRED = 100


def clean(text: str) -> str:
    """The text as valid Unicode: a lone surrogate, as `surrogateescape` leaves it, becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def printable(text: str) -> str:
    """The text as one line a terminal shows as it is: whatever is not printable is escaped as in Python source."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in clean(text))


def clip(text: str, limit: int = 8192) -> str:
    """At most `limit` characters, the cut shown."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more)"


def human_bytes(count: float) -> str:
    """`512 B`, `1.5 KiB`, `20 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < _KIB:
            return f"{_figures(count)} {unit}"
        count /= _KIB
    return f"{_figures(count)} TiB"


def human_seconds(seconds: float) -> str:
    """`340 µs`, `12 ms`, `1.5 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if not seconds:
        return "0 s"
    for factor, unit in ((1e6, "µs"), (1e3, "ms"), (1, "s")):
        if seconds * factor < (1000 if factor > 1 else 60):
            return f"{_figures(seconds * factor)} {unit}"
    whole = round(seconds)
    for large, small, size, part in (("d", "h", 86_400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1)):
        if whole >= size:
            count, rest = divmod(whole, size)
            return f"{count} {large} {rest // part} {small}"
    return f"{whole} s"


def _figures(value: float) -> str:
    """Three significant figures, and no exponent."""
    return f"{value:.0f}" if value >= _HUNDRED else f"{value:.3g}"


def _escaped(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    number = f"{ord(char):x}"
    width = next(width for width in _PREFIX if len(number) <= width)
    return _PREFIX[width] + number.rjust(width, "0")
