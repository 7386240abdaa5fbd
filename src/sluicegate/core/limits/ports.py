"""Where permits and slots are counted: the ports that limiter stores keep."""

from typing import Protocol

from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.window import Verdict


class PermitStore(Protocol):
    """The record of the permits given, by key.

    It is shared by everyone who opens the same store. Permits are kept apart from the rates they were given under:
    a limit that changes finds what was spent before.
    """

    async def take(self, key: str, limit: Limit, *, queued: bool) -> Verdict:
        """Give a permit now and record it, or say how long to wait; one atomic step.

        A store in memory or in a file does not suspend, so that the caller sends in the step that recorded the permit.
        `queued` says that a queue stands: others wait, or this one had to; permits are then paced.
        Raises PermitStoreBusy when another process holds the store for a moment, and PermitStoreError when the store
        cannot be used. After either, no permit was given.
        """

    def take_now(self, key: str, limit: Limit, *, queued: bool) -> Verdict | None:
        """`take` where it does not suspend; None, and no permit was given, where it may. Raises as `take` does."""

    def postpone(self, key: str, at: float, sent: float) -> None:
        """A request with a permit recorded `at` a time left only at `sent`: what was recorded since counts as of then.

        The process may have been held up between the permit and the sending. Raises as `take` does; nothing has changed
        then.
        """

    async def predict(self, key: str, limit: Limit, ahead: int) -> float:
        """How long the next one waits when `ahead` others go first (seconds); 0 when not at all. Takes nothing.

        Raises as `take` does.
        """

    async def aclose(self) -> None:
        """Let go of what is open; idempotent."""


class SlotStore(Protocol):
    """Slots that processes share: `bound` of them for each name. What a process holds is free once it has died."""

    def acquire(self, name: str, bound: int) -> bool:
        """Take one; False when others hold so many that there is none, or it is their turn. Never blocks or raises.

        The caller holds fewer than `bound` of that name. One who was refused asks again within some milliseconds, for as
        long as it wants a slot.
        """

    def release(self, name: str) -> None:
        """Give one back that was acquired; others may see it some milliseconds later."""

    def close(self) -> None:
        """Give back all; idempotent."""
