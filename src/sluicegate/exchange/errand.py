"""A call that has to go to the origin, and what is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sluicegate.core.caching.decisions import CacheOptions, Forward, Revalidate
from sluicegate.core.http import RequestHead
from sluicegate.core.ports import OnInterim
from sluicegate.exchange.call import Call

type Plan = Revalidate | Forward


@dataclass(slots=True)
class Errand:
    """A call that the store had no answer to."""

    call: Call
    request: RequestHead
    """Its end-to-end fields."""
    key: str
    options: CacheOptions
    on_interim: OnInterim
    crowded_out: Sequence[str] = ()
    """Entries that have to go if one more is stored."""
    lasting: bool = False
    """It may go on for the store when its client has been answered: a change of the resource meanwhile has to reach it."""
    moment: int | None = None
    """The store's, of before the request was sent; None until then."""
    leads: bool = False
    """It asks the origin itself."""
