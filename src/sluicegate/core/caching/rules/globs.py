"""Patterns whose only wildcard is `*`, for any text at all: matched in time that grows with text times pattern at most."""

import re


def glob(pattern: str) -> str:
    """The regular expression that matches all of a text, without groups that capture.

    What stands between two wildcards is looked for once and from the left (an atomic group): no text that a client
    sends makes it try all ways to divide the text among the wildcards.
    """
    first, *rest = (re.escape(part) for part in re.sub(r"\*+", "*", pattern).split("*"))
    if not rest:
        return rf"{first}\Z"
    *middle, last = rest
    found = "".join(f"(?>.*?{part})" for part in middle)
    return rf"(?s:{first}{found}.*{last}\Z)"
