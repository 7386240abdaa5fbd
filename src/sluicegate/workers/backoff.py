"""How long to wait before a worker that died is started again."""

_DELAYS_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
_SOUND_S = 60.0
"""A worker that lived this long was not dying of its start."""


class Backoff:
    """At once the first time, then more and more slowly, up to every ten seconds."""

    def __init__(self) -> None:
        self._failures = 0

    def next_delay_s(self, lived_s: float) -> float:
        """Seconds to wait after a life of `lived_s` seconds."""
        if lived_s >= _SOUND_S:
            self._failures = 0
        delay = _DELAYS_S[min(self._failures, len(_DELAYS_S) - 1)]
        self._failures += 1
        return delay
