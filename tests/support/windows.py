"""What a limit promises, as one number: the most requests that any interval of a length has seen."""

from collections.abc import Iterable

JITTER_S = 0.015
"""How unevenly two requests may travel to the origin, and be noticed there."""


def worst_window(times: Iterable[float], window_s: float) -> int:
    """The most of `times` (seconds, any order) that lie in one half-open interval of length `window_s`."""
    ordered = sorted(times)
    first = most = 0
    for index, at in enumerate(ordered):
        while at - ordered[first] >= window_s:
            first += 1
        most = max(most, index - first + 1)
    return most
