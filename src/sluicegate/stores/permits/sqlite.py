"""Permits counted in a file: one limit for all processes of a machine that use the same state directory.

A permit is one transaction. Where a limit is fast, the transaction reserves a block of them for this process, as large
as what the last one used up suggests (`core.limits.window` says why that is exact). What a block leaves unused is given
back in the host's next transaction, as long as nobody else was given a permit since. Where others are, a block is taken
only while half of each window is free, so that what they leave unused is missed by nobody. A killed process loses its
block: that is slower, never faster.
"""

import contextlib
import sqlite3
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from sluicegate.clock import Clock
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.window import ADMITTED, NEVER, Plan, State, Verdict, decide, fits, free, plan, predict
from sluicegate.errors import PermitStoreError
from sluicegate.stores.permits.file import PermitFile

FILE_NAME = "permits.sqlite3"
_OPEN_PATIENCE_S = 5.0
_SWEEP_EVERY = 128
_SWEEP_HOSTS = 256
_SWEEP_PERMITS = 512
_SWEEP_SHARE = 4
_BLOCKS_MAX = 4_096


@dataclass(slots=True)
class Block:
    """Permits reserved for this process, and where the log stood when they were."""

    limit: Limit
    made: Plan
    until: float
    """They may be used up to then."""
    size: int
    left: int
    host: int
    newest: int
    state: State
    verdict: Verdict
    """What each of them is told."""

    def next_size(self, now: float) -> int:
        """How many to reserve next: what was used, or twice that while it was too little."""
        if self.left:
            return max(1, self.size - self.left)
        return self.size * 2 if now < self.until else self.size


@dataclass(slots=True)
class HostLog:
    """A host's log in the file, looked at inside a transaction."""

    db: sqlite3.Connection
    id: int = 0
    newest: int = 0
    state: State = NEVER
    keep_s: float = 0.0
    unused: int = 0
    """Permits above the newest that are in the file and were never used."""
    shared: bool = False
    """Somebody else was given permits since this process was."""
    _seen: dict[int, float | None] = field(default_factory=dict)

    @classmethod
    def find(
        cls, db: sqlite3.Connection, name: str, looks: tuple[int, ...] = (), block: Block | None = None
    ) -> "HostLog":
        """The host's log; empty, with id 0, when the file has none. `looks` are the permits that will be looked at.

        What is left of `block` is not in it any more, if nothing came after.
        """
        left = block.left if block is not None else 0
        row = db.execute(_find(len(looks)), (*(n + left for n in looks), name)).fetchone()
        if row is None:
            return cls(db)
        id_, newest, last, due, keep_s = row[:5]
        log = cls(db, id_, newest, State(last, due), keep_s)
        if block is not None:
            log.shared = (id_, newest, log.state) != (block.host, block.newest, block.state)
            if left and not log.shared:
                log.unused, log.newest = left, newest - left
                log.state = State(last, due - left * block.made.spacing_s)
        for n, at in zip(looks, row[5:], strict=True):
            log._seen[newest - left - n + 1] = at
        return log

    def nth(self, n: int) -> float | None:
        """The time of the n-th newest permit (1 is the newest), None beyond the log's end."""
        number = self.newest - n + 1
        if number < 1:
            return None
        if number in self._seen:
            return self._seen[number]
        row = self.db.execute("SELECT at FROM permit WHERE host = ? AND number = ?", (self.id, number)).fetchone()
        return None if row is None else float(row[0])

    def give_back(self) -> None:
        """Take the unused permits out of the file."""
        if self.unused:
            self.db.execute("DELETE FROM permit WHERE host = ? AND number > ?", (self.id, self.newest))
            self.db.execute("UPDATE host SET newest = ?, due = ? WHERE id = ?", (self.newest, self.state.due, self.id))
            self.unused = 0

    def record(self, name: str, state: State, keep_s: float, *, weight: int = 1) -> None:
        """Add `weight` permits at `state.last`. Permits are kept for the longest window ever in force."""
        self.state, self.keep_s = state, max(self.keep_s, keep_s)
        first, self.newest = self.newest + 1, self.newest + weight
        if self.id:
            self.db.execute(
                "UPDATE host SET newest = ?, last = ?, due = ?, keep = ? WHERE id = ?",
                (self.newest, state.last, state.due, self.keep_s, self.id),
            )
        else:
            inserted = self.db.execute(
                "INSERT INTO host (name, newest, last, due, keep) VALUES (?, ?, ?, ?, ?)",
                (name, self.newest, state.last, state.due, self.keep_s),
            )
            self.id = inserted.lastrowid or 0
        if self.keep_s > 0:
            self.db.execute(_INSERT_ONE if weight == 1 else _INSERT_MANY, (self.id, first, state.last, self.newest))

    def postpone(self, at: float, sent: float) -> None:
        """Let what was recorded since `at` count as of `sent`."""
        self.state = self.state.postponed(at, sent)
        self.db.execute("UPDATE host SET last = ?, due = ? WHERE id = ?", (self.state.last, self.state.due, self.id))
        self.db.execute(
            "UPDATE permit SET at = ?3 WHERE host = ?1 AND at < ?3 AND number > ifnull("
            "(SELECT number FROM permit WHERE host = ?1 AND at < ?2 ORDER BY number DESC LIMIT 1), 0)",
            (self.id, at, sent),
        )

    def trim(self, before: float, at_most: int) -> None:
        """Remove the oldest permits, those given before `before`."""
        self.db.execute(
            "DELETE FROM permit WHERE host = ?1 AND number <= (SELECT max(number) FROM (SELECT number, at FROM permit "
            "WHERE host = ?1 ORDER BY number LIMIT ?3) WHERE at < ?2)",
            (self.id, before, at_most),
        )


_INSERT_ONE = "INSERT INTO permit SELECT ?1, ?2, ?3 WHERE ?4"
_INSERT_MANY = "WITH RECURSIVE s(n) AS (SELECT ?2 UNION ALL SELECT n + 1 FROM s WHERE n < ?4) INSERT INTO permit SELECT ?1, n, ?3 FROM s"


@lru_cache(maxsize=64)
def _find(looks: int) -> str:
    """The statement for a host and its n-th newest permits, for so many n."""
    nth = "".join(", (SELECT at FROM permit WHERE host = h.id AND number = h.newest - ? + 1)" for _ in range(looks))
    return f"SELECT id, newest, last, due, keep{nth} FROM host h WHERE name = ?"  # noqa: S608 - no values in it


class SqlitePermitStore:
    """A PermitStore in `directory`, shared by everyone who opens the same one.

    The calls never suspend, and block for a few milliseconds at most. When the file cannot be used each call tries to
    open it anew, so that the limiter recovers by itself.
    """

    def __init__(self, directory: Path, clock: Clock, *, boot: str | None = None) -> None:
        self._clock = clock
        self._file = PermitFile(directory / FILE_NAME, clock, boot=boot)
        self._until_sweep = 1
        self._swept_id = 0
        self._blocks: dict[str, Block] = {}

    def open(self) -> None:
        """Open the file now, so that a directory which cannot be used is known at the start.

        Blocks for up to some seconds while other processes open it too. Raises PermitStoreError.
        """
        self._file.open(patience_s=_OPEN_PATIENCE_S)

    async def take(self, key: str, limit: Limit, *, queued: bool) -> Verdict:
        return self.take_now(key, limit, queued=queued)

    def take_now(self, key: str, limit: Limit, *, queued: bool) -> Verdict:
        block = self._blocks.get(key)
        if block is not None and block.left and block.limit is limit and self._clock.now() <= block.until:
            block.left -= 1
            return block.verdict
        return ADMITTED if limit.unlimited else self._take(key, limit, block, queued=queued)

    def _take(self, key: str, limit: Limit, block: Block | None, *, queued: bool) -> Verdict:
        made = plan(limit)
        with self._file.writing() as db:
            log = HostLog.find(db, key, made.looks, block)
            now = self._clock.now()
            verdict, count = decide(made, log.nth, log.state, now), 0
            log.give_back()
            if verdict.admitted:
                room = free(made, log.nth, log.state, now, queued=queued)
                count = _block_size(made, log, now, room, block, queued=queued)
                log.record(key, made.after(log.state, now, queued=queued, count=count), made.keep_s, weight=count)
                verdict = Verdict(free=room - 1, at=log.state.last)
                self._file.note_wall(db)
                self._sweep(db, log, now, count)
            db.execute("COMMIT")
        if made.block > 1:
            until, size = (now + made.lease_s, count) if count else (now, block.size if block is not None else 1)
            left, reserved = max(0, count - 1), Verdict(at=log.state.last)
            self._keep(key, Block(limit, made, until, size, left, log.id, log.newest, log.state, reserved))
        return verdict

    def postpone(self, key: str, at: float, sent: float) -> None:
        with self._file.writing() as db:
            log = HostLog.find(db, key)
            if log.id:
                log.postpone(at, sent)
                db.execute("COMMIT")

    async def predict(self, key: str, limit: Limit, ahead: int) -> float:
        if limit.unlimited:
            return 0.0
        block, made = self._blocks.get(key), plan(limit)
        with self._file.reading() as db:
            log = HostLog.find(db, key, made.looks, block)
            return predict(made, log.nth, log.state, self._clock.now(), ahead)

    async def aclose(self) -> None:
        for key, block in self._blocks.items():
            if block.left:
                with contextlib.suppress(PermitStoreError), self._file.writing() as db:
                    HostLog.find(db, key, (), block).give_back()
                    db.execute("COMMIT")
        self._blocks.clear()
        self._file.close()

    def _keep(self, key: str, block: Block) -> None:
        if len(self._blocks) >= _BLOCKS_MAX and key not in self._blocks:
            now = self._clock.now()
            self._blocks = {name: kept for name, kept in self._blocks.items() if kept.until >= now}
        self._blocks[key] = block

    def _sweep(self, db: sqlite3.Connection, log: HostLog, now: float, count: int) -> None:
        """Now and then: shorten this log, and forget hosts whose permits no longer matter, some at a time."""
        self._until_sweep -= count
        if self._until_sweep > 0:
            return
        self._until_sweep = _SWEEP_EVERY
        log.trim(now - log.keep_s, _SWEEP_PERMITS + _SWEEP_SHARE * count)
        rows = db.execute(
            "SELECT id, last + keep < ?1 AND due + keep < ?1 FROM host WHERE id > ?2 ORDER BY id LIMIT ?3",
            (now, self._swept_id, _SWEEP_HOSTS),
        ).fetchall()
        self._swept_id = rows[-1][0] if len(rows) == _SWEEP_HOSTS else 0
        for host_id in [row[0] for row in rows if row[1]]:
            db.execute("DELETE FROM permit WHERE host = ?", (host_id,))
            db.execute("DELETE FROM host WHERE id = ?", (host_id,))


def _block_size(made: Plan, log: HostLog, now: float, room: int, block: Block | None, *, queued: bool) -> int:
    """How many permits to reserve where one was admitted and `room` are certainly free."""
    if block is None:
        return 1
    want = min(block.next_size(now), made.block)
    if log.shared and not made.windows:
        return 1
    if room > 1 or log.shared:
        return min(want, room)
    while want > 1 and not fits(made, log.nth, log.state, now, want, queued=queued):
        want //= 2
    return want
