"""Identical requests at the same time: one asks the origin, the others wait for what it learns (RFC 9211 §2.6).

The one that asks leads a *flight*. As soon as the answer's head is there, those who wait are told what to make of it:

- it is being stored: each reads it from the same `Fill`, and so does whoever comes before that is complete;
- the origin confirmed what is stored (304): look there again;
- it is not for others: each asks for itself, at once and in parallel, and for a while nobody waits for this again;
- it failed, or the limiter refused it: each has the same error, for asking again would only multiply it;
- the client that led has left: the first that waits leads on.

Whoever waits holds no slot, no place in a queue and no permit, and waits as long as the one it waits for may: `max_wait`
of the host and the time-outs of its connection.
"""

import asyncio
import itertools
from collections import OrderedDict
from enum import Enum, auto

from sluicegate.clock import Clock
from sluicegate.core.ports import EntryWriter
from sluicegate.exchange.background import Background
from sluicegate.exchange.fill import FINISH_WHEN_ABANDONED, Abandoned, Fill, FillReader
from sluicegate.gate.gate import Pace

MAX_WAITING = 1000
"""Requests that wait for one other; one more asks for itself."""
MAX_WAITING_IN_ALL = 10_000
ALONE_S = 120.0
"""For how long nobody waits for what turned out not to be for others (seconds)."""
MAX_ALONE = 10_000


class Verdict(Enum):
    """What a request that waited is told, where there is no body to read."""

    LEAD = auto()
    """The one it waited for has left: ask the origin, for the others too."""
    ALONE = auto()
    """Ask the origin for yourself."""
    STORED = auto()
    """The store has the answer."""


type Told = FillReader | Verdict


class Flight:
    """One request that is under way for several."""

    __slots__ = ("_flights", "_waiting", "fill", "key", "name", "pace")

    def __init__(self, flights: "Flights", name: str, key: str) -> None:
        self.name = name
        self.key = key
        """The cache key."""
        self.fill: Fill | None = None
        """The answer, once it is known to be stored."""
        self.pace: Pace | None = None
        """What holds up the one who leads, if that is known."""
        self._flights: Flights | None = flights
        self._waiting: dict[asyncio.Future[Told | Exception], None] = {}

    async def follow(self) -> Told:
        """Wait for the verdict; a reader is the caller's to close. Raises the leader's error."""
        if self.fill is not None:
            return self.fill.join() or Verdict.ALONE
        flights = self._flights
        if flights is None or len(self._waiting) >= MAX_WAITING or flights.waiting >= MAX_WAITING_IN_ALL:
            return Verdict.ALONE
        told: asyncio.Future[Told | Exception] = asyncio.get_running_loop().create_future()
        self._waiting[told] = None
        flights.waiting += 1
        try:
            result = await told
        except BaseException:
            if told.done() and not told.cancelled():
                await self._refused(told.result())
            raise
        finally:
            flights.waiting -= 1
            self._waiting.pop(told, None)
        if isinstance(result, Exception):
            raise result.with_traceback(None)
        return result

    def open(self, fill: Fill) -> None:
        """The answer is being stored: all who wait, and all who come until it is complete, may read it."""
        self.fill = fill
        fill.outdated = self._flights is None
        fill.on_end = self._ended
        while (told := self._next()) is not None:
            told.set_result(fill.join() or Verdict.ALONE)

    @property
    def followed(self) -> bool:
        """Somebody waits for it."""
        return bool(self._waiting)

    @property
    def outdated(self) -> bool:
        """The resource was changed meanwhile: what comes is not to be kept."""
        return self._flights is None

    def stored(self) -> None:
        """The store has the answer."""
        self._end(Verdict.STORED)

    def scatter(self) -> None:
        """The answer is not for others. Only where somebody has waited for it need that be remembered."""
        if self._waiting and self._flights is not None:
            self._flights.keep_apart(self.name)
        self._end(Verdict.ALONE)

    def fail(self, error: Exception) -> None:
        """There is no answer."""
        self._end(error)

    def leave(self) -> None:
        """The leader gives up without an answer: the first that waits leads on."""
        if self.fill is None and (told := self._next()) is not None:
            told.set_result(Verdict.LEAD)
        else:
            self._end(Verdict.ALONE)

    def detach(self) -> None:
        """What is under way is older than a change of the resource: whoever comes now must not have it."""
        if self.fill is not None:
            self.fill.outdated = True
        self._leave_table()

    def _next(self) -> asyncio.Future[Told | Exception] | None:
        """Who has waited longest."""
        while self._waiting:
            told = next(iter(self._waiting))
            del self._waiting[told]
            if not told.done():
                return told
        return None

    def _end(self, result: Verdict | Exception) -> None:
        """Tell all who wait, unless there is an answer that they were told of already."""
        if self.fill is not None:
            return
        self._leave_table()
        while self._waiting and (told := self._next()) is not None:
            told.set_result(result)

    def _ended(self, given_up: bool) -> None:
        if given_up and self._flights is not None:
            self._flights.keep_apart(self.name)
        self._leave_table()
        self.fill = None

    def _leave_table(self) -> None:
        flights, self._flights = self._flights, None
        if flights is not None:
            flights.remove(self.name)

    async def _refused(self, result: Told | Exception) -> None:
        """Who was told has left before it could act on it."""
        if isinstance(result, FillReader):
            await result.aclose()
        elif result is Verdict.LEAD:
            self.leave()


async def keep_whole(data: bytes, writer: EntryWriter, flight: Flight | None) -> None:
    """Store a body that is there whole, and let those who came for it meanwhile look it up."""
    try:
        if (not data or await writer.write(data)) and not (flight is not None and flight.outdated):
            await writer.commit()
    finally:
        await writer.aclose()
    if flight is not None:
        flight.stored()


class Flights:
    """All flights of a proxy. They outlive reloads; the event loop they belong to is the caller's."""

    def __init__(self, clock: Clock) -> None:
        self.collapse = True
        """Whether requests wait for one another at all."""
        self.abandoned = Abandoned()
        self.background = Background(clock)
        self.waiting = 0
        """Requests that wait for another's answer."""
        self._clock = clock
        self._flights: dict[str, Flight] = {}
        self._apart: OrderedDict[str, float] = OrderedDict()
        self._numbers = itertools.count()

    def configure(self, *, collapse: bool, finish_when_abandoned: int = FINISH_WHEN_ABANDONED) -> None:
        """Put other settings in force; flights under way go on."""
        self.collapse = collapse
        self.abandoned.limit = finish_when_abandoned

    def get(self, name: str) -> Flight | None:
        """The flight of that name that is under way."""
        return self._flights.get(name)

    def begin(self, name: str, key: str) -> Flight | None:
        """A new flight, the caller its leader; None while requests of that name are kept apart."""
        if self._apart and (until := self._apart.get(name)) is not None:
            if self._clock.now() < until:
                return None
            del self._apart[name]
        flight = self._flights[name] = Flight(self, name, key)
        return flight

    def begin_alone(self, key: str) -> Flight:
        """A flight that nobody finds, so that a change of the resource reaches what is under way all the same."""
        name = f"{key} alone {next(self._numbers)}"
        flight = self._flights[name] = Flight(self, name, key)
        return flight

    def keep_apart(self, name: str) -> None:
        """Let nobody wait for requests of that name for a while; those used longest ago are forgotten first."""
        self._apart[name] = self._clock.now() + ALONE_S
        self._apart.move_to_end(name)
        if len(self._apart) > MAX_ALONE:
            self._apart.popitem(last=False)

    def detach(self, key: str) -> None:
        """The resource with that cache key has changed: nobody joins what is under way, and it is not kept."""
        for flight in [flight for flight in self._flights.values() if flight.key == key]:
            flight.detach()

    def remove(self, name: str) -> None:
        """The flight is over."""
        del self._flights[name]

    async def aclose(self) -> None:
        """Give up what is fetched for nobody."""
        await self.background.aclose()
        await self.abandoned.aclose()
