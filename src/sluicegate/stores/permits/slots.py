"""Slots that all processes of a machine share: one byte of a lock file each, locked by the process that holds it.

The system takes the locks of a process back when it ends, however it ends. They belong to the process, not to a
descriptor: closing any descriptor of the file drops them all, so a process opens the file once. A child does not
inherit them.

A slot that becomes free stays with the process for some milliseconds, since the next request often follows at once; so a
busy host costs next to no system calls. Nor can a process keep the others out for long: one that waits for a slot holds
a shared lock on a byte beside them. Whoever finds that byte taken, at most every `TURN_S`, gives back its next slot and
takes none for `SHY_S`.
"""

import asyncio
import fcntl
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from sluicegate.clock import Clock
from sluicegate.errors import PermitStoreError

FILE_NAME = "slots.lock"
TURN_S = 0.02
SHY_S = 0.012
_SPARE_S = 0.005
_SPARE_NAMES = 64
"""Of as many names slots are kept: each lock makes the system's search for the others longer."""
_WANT_S = 0.05
_INDEX_BITS = 17
_HASH_BYTES = 5
_PROBES = 64
"""As many slots are tried at a time; the next call goes on from there."""


@dataclass(slots=True)
class _Region:
    """The slots of one name."""

    offset: int
    taken: list[int] = field(default_factory=list)
    spare: list[int] = field(default_factory=list)
    """Locked, and not in use."""
    idle: int = 0
    """So many of the spare ones were not needed since it was last tidied up."""
    own: set[int] = field(default_factory=set)
    """Both."""
    start: int = 0
    turn_until: float = 0.0
    shy_until: float = 0.0
    wanted: float | None = None
    """When a slot was last asked for in vain."""

    @property
    def want_byte(self) -> int:
        return self.offset + (1 << _INDEX_BITS) - 1


class LockedSlots:
    """A SlotStore in a lock file of `directory`. Needs a running event loop, which gives back what is spare."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._path = directory / FILE_NAME
        self._clock = clock
        self._fd = -1
        self._regions: dict[str, _Region] = {}
        self._tidying: asyncio.TimerHandle | None = None
        self._untidy: set[str] = set()

    def open(self) -> None:
        """Open the file. Raises PermitStoreError where it cannot be opened or locked."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.lockf(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, _offset("\0"))
        except OSError as error:
            self.close()
            raise PermitStoreError(
                f"the limiter's lock file {self._path} cannot be used: {error}",
                advice="Make the directory writable, on a file system that has record locks, or set limits.backend: memory.",
            ) from error

    def acquire(self, name: str, bound: int) -> bool:
        region = self._regions.get(name)
        if region is None:
            region = self._regions[name] = _Region(_offset(name), start=os.getpid() % bound)
        while region.spare:
            index = region.spare.pop()
            region.idle = min(region.idle, len(region.spare))
            if index < bound:
                region.taken.append(index)
                return True
            self._unlock(region, index)
        now = self._clock.now()
        if now >= region.shy_until and self._lock_one(region, bound):
            self._stop_wanting(region)
            return True
        if region.wanted is None:
            self._lock(region.want_byte, fcntl.LOCK_SH)
        region.wanted = now
        self._tidy_later(name)
        return False

    def release(self, name: str) -> None:
        region = self._regions.get(name)
        if region is None:
            return
        index = region.taken.pop()
        now = self._clock.now()
        if now >= region.turn_until:
            region.turn_until = now + TURN_S
            if self._others_want(region):
                region.shy_until = now + SHY_S
                self._unlock(region, index)
                for spare in region.spare:
                    self._unlock(region, spare)
                region.spare.clear()
                region.idle = 0
                self._tidy_later(name)
                return
        if len(self._untidy) >= _SPARE_NAMES and name not in self._untidy:
            self._unlock(region, index)
            if not region.own:
                del self._regions[name]
            return
        region.spare.append(index)
        if name not in self._untidy:
            self._tidy_later(name)

    def close(self) -> None:
        if self._tidying is not None:
            self._tidying.cancel()
            self._tidying = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._regions.clear()

    def __len__(self) -> int:
        """How many names are remembered."""
        return len(self._regions)

    def _lock_one(self, region: _Region, bound: int) -> bool:
        tried = 0
        for step in range(bound):
            index = (region.start + step) % bound
            if index in region.own:
                continue
            if self._lock(region.offset + index, fcntl.LOCK_EX):
                region.own.add(index)
                region.taken.append(index)
                region.start = index
                return True
            tried += 1
            if tried == _PROBES:
                region.start = index
                break
        return False

    def _lock(self, at: int, kind: int) -> bool:
        """Whatever goes wrong, the lock is not ours: fewer requests leave, never more."""
        try:
            fcntl.lockf(self._fd, kind | fcntl.LOCK_NB, 1, at)
        except (OSError, ValueError):
            return False
        return True

    def _unlock(self, region: _Region, index: int) -> None:
        region.own.discard(index)
        region.start = index
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, region.offset + index)

    def _others_want(self, region: _Region) -> bool:
        """Nobody else has the byte if it can be ours alone."""
        if not self._lock(region.want_byte, fcntl.LOCK_EX):
            return True
        fcntl.lockf(self._fd, fcntl.LOCK_UN if region.wanted is None else fcntl.LOCK_SH, 1, region.want_byte)
        return False

    def _stop_wanting(self, region: _Region) -> None:
        if region.wanted is not None:
            region.wanted = None
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, region.want_byte)

    def _tidy_later(self, name: str) -> None:
        self._untidy.add(name)
        if self._tidying is None:
            self._tidying = asyncio.get_running_loop().call_later(_SPARE_S, self._tidy)

    def _tidy(self) -> None:
        """Give back what has been spare for a while, and stop wanting what nobody asks for any more."""
        self._tidying = None
        names, self._untidy = self._untidy, set()
        now = self._clock.now()
        for name in names:
            region = self._regions[name]
            for index in region.spare[: region.idle]:
                self._unlock(region, index)
            del region.spare[: region.idle]
            region.idle = len(region.spare)
            if region.wanted is not None and now >= region.wanted + _WANT_S:
                self._stop_wanting(region)
            if region.spare or region.wanted is not None or now < region.shy_until:
                self._tidy_later(name)
            elif not region.own:
                del self._regions[name]


def _offset(name: str) -> int:
    """Where the slots of `name` lie. Two names that fall together share their slots: fewer, never more."""
    digest = hashlib.blake2b(name.encode(), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest) << _INDEX_BITS
