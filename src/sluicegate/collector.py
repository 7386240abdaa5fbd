"""Garbage collection for a process that keeps much and leaves few circles.

A full collection looks at everything that lives: responses in memory are hundreds of thousands of objects, and a pause of
more than a tenth of a second. An exchange leaves no circle behind; a client's connection leaves some kilobytes. So what
survives being young is put aside, and all of it is only looked at once enough connections have been closed.
"""

import gc
from collections.abc import Mapping

_YOUNG = 10_000
"""Objects between two collections of the young ones, each of which takes a few milliseconds."""
_ADOLESCENT = 5
"""Such collections until what has survived them is put aside."""
_NEVER = 1_000_000_000

WORTH_A_PAUSE = 1_000
"""Closed connections that are worth a full collection while nothing is under way."""
WORTH_ANY_PAUSE = 20_000
"""And those that are worth it at any time."""


def rest() -> None:
    """Leave what the start has made out of collections, and from now on everything that turns out to stay. Idempotent."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _ADOLESCENT, _NEVER)
    if _put_aside not in gc.callbacks:
        gc.callbacks.append(_put_aside)


def sweep() -> None:
    """Collect everything, once."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _put_aside(phase: str, info: Mapping[str, int]) -> None:
    if phase == "stop" and info["generation"] == 1:
        gc.freeze()
