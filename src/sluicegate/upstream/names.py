"""Names to addresses, remembered for a while.

The system's resolver is asked, and not a DNS server: only it knows the hosts file, mDNS and what containers add. It tells
no TTL, hence one time for all names.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sluicegate.errors import NameNotResolved
from sluicegate.tasks import spawn
from sluicegate.upstream.settings import AddressInfo, Resolve

_NEGATIVE_S = 1.0
"""How long a failure is remembered."""
_STALE_S = 300.0
"""How long addresses are used beyond their time when the resolver fails (RFC 8767)."""
_PATIENCE_S = 1.8
"""How long the resolver is waited for when there are addresses from before (RFC 8767 §5)."""
_MAX_NAMES = 1_000
_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})

type _Key = tuple[str, int]


@dataclass(slots=True)
class _Answer:
    """What the resolver said: addresses, or why there are none."""

    infos: Sequence[AddressInfo]
    failure: Exception | None
    fresh_until: float
    usable_until: float
    """As long as that it is better than no answer."""


class Names:
    """Asks `resolve` once for all who want the same name at the same time. Keeps answers for `ttl_s`.

    `now` is a clock in seconds that never goes back.
    """

    def __init__(self, resolve: Resolve, *, ttl_s: float, now: Callable[[], float]) -> None:
        self.ttl_s = ttl_s
        self._resolve = resolve
        self._now = now
        self._answers: dict[_Key, _Answer] = {}
        self._lookups: dict[_Key, asyncio.Task[_Answer]] = {}

    async def addresses(self, host: str, port: int) -> Sequence[AddressInfo]:
        """At least one address. Raises NameNotResolved. Whoever uses them judges them: they may be stale."""
        key = (host, port)
        answer = self._answers.get(key)
        if answer is None or self._now() >= answer.fresh_until:
            answer = await self._asked(key, answer)
        if not answer.infos:
            raise _unresolved(host, answer.failure) from answer.failure
        return answer.infos

    def close(self) -> None:
        """Wait for no answer any more."""
        for lookup in self._lookups.values():
            lookup.cancel()

    async def _asked(self, key: _Key, known: _Answer | None) -> _Answer:
        lookup = self._lookups.get(key)
        if lookup is None:
            self._lookups[key] = lookup = spawn(self._look_up(key, known), name=f"resolve {key[0]}")
        stale = known if known is not None and self._now() < known.usable_until else None
        # Not awaited itself: one who gives up waiting must not cancel it for the others.
        await asyncio.wait({lookup}, timeout=None if stale is None else _PATIENCE_S)
        if stale is None or lookup.done():
            return lookup.result()
        stale.fresh_until = self._now() + _NEGATIVE_S
        return stale

    async def _look_up(self, key: _Key, known: _Answer | None) -> _Answer:
        try:
            answer = await self._answer(key, known)
        finally:
            del self._lookups[key]
        # Taken out first, so that the order is that of the last answers.
        self._answers.pop(key, None)
        self._answers[key] = answer
        if len(self._answers) > _MAX_NAMES:
            del self._answers[next(iter(self._answers))]
        return answer

    async def _answer(self, key: _Key, known: _Answer | None) -> _Answer:
        failure: Exception | None = None
        try:
            infos = await self._resolve(*key)
        except (OSError, ValueError) as error:  # ValueError: names that cannot be encoded (IDNA)
            infos, failure = (), error
        now = self._now()
        if infos:
            return _Answer(infos, None, now + self.ttl_s, now + self.ttl_s + _STALE_S)
        if known is not None and now < known.usable_until and not _no_such_name(failure):
            known.fresh_until = now + _NEGATIVE_S
            return known
        return _Answer((), failure, now + _NEGATIVE_S, now)


async def system_resolve(host: str, port: int) -> Sequence[AddressInfo]:
    """The system's resolver, in a thread."""
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _no_such_name(failure: Exception | None) -> bool:
    """The resolver knows that there is nothing, other than a resolver that cannot tell."""
    return failure is None or (isinstance(failure, socket.gaierror) and failure.errno in _NO_SUCH_NAME)


def _unresolved(host: str, failure: Exception | None) -> NameNotResolved:
    if failure is None:
        return NameNotResolved(f"The name {host} has no address.")
    reason = failure.strerror if isinstance(failure, OSError) else failure
    return NameNotResolved(
        f"The name {host} could not be resolved: {reason}.",
        advice="Check the spelling, and this machine's DNS.",
    )
