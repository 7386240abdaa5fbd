"""What of a query the cache key leaves out, because the user says that it makes no difference."""

import re
from urllib.parse import unquote_plus

from sluicegate.core.caching.rules.globs import glob

_OTHER_SEPARATOR = ";"
"""Some origins still divide queries here: what has one may hold a parameter that nobody meant to ignore."""


class QueryRule:
    """Parameters that are left out of the key, and whether the order of the others counts.

    It concerns keys alone: the origin is asked for the URL that the client asked for.
    """

    __slots__ = ("_ignored", "everything", "ignored", "sort")

    def __init__(self, ignored: tuple[str, ...] = (), *, everything: bool = False, sort: bool = False) -> None:
        """`ignored` are names, with `*` for any characters; `everything` leaves out the whole query."""
        self.ignored = ignored
        self.everything = everything
        self.sort = sort
        self._ignored = re.compile("|".join(map(glob, ignored))) if ignored else None

    def keyed(self, query: str) -> tuple[str, str]:
        """The question mark, if anything follows it, and what of the query counts.

        Names are compared as they read when decoded; what is kept is kept as it is spelled. With a `;` in it, a
        parameter is never ignored, and nothing is sorted.
        """
        if self.everything:
            return "", ""
        if not query:
            return "?", ""
        parts = query.split("&")
        if self._ignored is not None:
            parts = [part for part in parts if _OTHER_SEPARATOR in part or self._ignored.match(_name(part)) is None]
            if not parts:
                return "", ""
        if self.sort and _OTHER_SEPARATOR not in query:
            parts.sort(key=_order)
        return "?", "&".join(parts)


def _name(part: str) -> str:
    name = part.partition("=")[0]
    return unquote_plus(name, errors="surrogateescape") if "%" in name or "+" in name else name


def _order(part: str) -> str:
    """Names that some origins take for the same (`a[]` and `a[0]`, `a.b` and `a_b`) sort alike: their own order stays."""
    return _name(part).partition("[")[0].strip().lower().replace(".", "_").replace(" ", "_")
