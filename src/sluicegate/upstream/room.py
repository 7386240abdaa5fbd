"""The bound on open connections: who may open one, and who waits for that."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sluicegate.core.http import Origin
from sluicegate.upstream.wire import Wire


@dataclass(slots=True, eq=False)
class _Waiting:
    origin: Origin
    fresh: bool
    turn: "asyncio.Future[Wire | None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Room:
    """Counts connections, open or being opened, up to `limit`; above it first come, first served.

    `take(origin)` gives an idle connection, and `give` takes it back; `retire()` closes an idle one of any origin, and
    is False when there is none. Each wait ends: whoever holds a connection needs no second one, and origins and clients
    have time-outs.
    """

    def __init__(
        self,
        limit: int,
        *,
        take: Callable[[Origin], Wire | None],
        give: Callable[[Wire], None],
        retire: Callable[[], bool],
    ) -> None:
        self.limit = limit
        self.taken = 0
        """Those being closed count until they are."""
        self._take = take
        self._give = give
        self._retire = retire
        self._line: deque[_Waiting] = deque()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._line)

    async def enter(self, origin: Origin, *, fresh: bool) -> Wire | None:
        """Wait until a connection to `origin` may be opened, which is counted then: `leave` when it is gone.

        An idle one that somebody gave back in the meantime is returned instead, unless it has to be `fresh`.
        """
        if not self._line and self._admit_one():
            return None
        waiting = _Waiting(origin, fresh)
        self._line.append(waiting)
        try:
            return await waiting.turn
        except BaseException:
            self._take_back(waiting)
            raise

    def leave(self) -> None:
        """A connection that was counted is gone, or was not opened after all."""
        self.taken -= 1
        self.admit()

    def admit(self) -> None:
        """Let in whoever can be: to be called when a connection has become idle."""
        while self._line:
            first = self._line[0]
            if first.turn.done():
                self._line.popleft()
                continue
            wire = None if first.fresh else self._take(first.origin)
            if wire is None and not self._admit_one():
                return
            self._line.popleft()
            first.turn.set_result(wire)

    def close(self, why: Callable[[], Exception]) -> None:
        """Let nobody wait any more."""
        while self._line:
            turn = self._line.popleft().turn
            if not turn.done():
                turn.set_exception(why())

    def _take_back(self, waiting: _Waiting) -> None:
        """Somebody gave up waiting, perhaps in the moment his turn came."""
        turn = waiting.turn
        if not turn.done() or turn.cancelled() or turn.exception() is not None:
            self.admit()
        elif (wire := turn.result()) is not None:
            self._give(wire)
        else:
            self.leave()

    def _admit_one(self) -> bool:
        if self.taken >= self.limit and not self._retire():
            return False
        self.taken += 1
        return True
