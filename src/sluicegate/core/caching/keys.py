"""The key that a response is stored under: the URL as people see it, normalised (RFC 9111 §2, RFC 3986 §6.2.2)."""

import re

from sluicegate.core.caching.rules.queries import QueryRule
from sluicegate.core.http import RequestHead

_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def cache_key(request: RequestHead, query_rule: QueryRule | None = None) -> str:
    """The normalised absolute URL; the method is no part of it, so GET and HEAD share a key.

    Case of scheme, host and percent-encodings, default port and dot segments make no difference; the query is
    taken as it stands, for its order and spelling may matter to the origin, unless the user's `query_rule` says what of
    it does not.
    """
    path, mark, query = request.target.partition("?")
    if query_rule is not None and mark:
        mark, query = query_rule.keyed(query)
    return f"{request.origin.text}{normal_path(path)}{mark}{query}"


def normal_path(path: str) -> str:
    """The path in the one spelling of all that mean the same (RFC 3986 §6.2.2)."""
    if "%" in path:
        path = _PERCENT.sub(_percent_encoding, path)
    if "/." in path:
        path = _without_dot_segments(path)
    return path or "/"


def _percent_encoding(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _without_dot_segments(path: str) -> str:
    """Resolve `.` and `..` (RFC 3986 §5.2.4)."""
    segments: list[str] = []
    last = ""
    for last in path.split("/")[1:]:
        if last == "..":
            del segments[-1:]
        elif last != ".":
            segments.append(last)
    if last in {".", ".."}:
        segments.append("")
    return "/" + "/".join(segments)
