"""Permits counted in a file: one limit for all processes of a machine that use the same state directory."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sluicegate.clock import Clock
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.window import ADMITTED, NEVER, Plan, State, Verdict, decide, plan, predict
from sluicegate.stores.permits.file import PermitFile

FILE_NAME = "permits.sqlite3"
_OPEN_PATIENCE_S = 5.0
_SWEEP_EVERY = 128
_SWEEP_HOSTS = 256
_SWEEP_PERMITS = 512


@dataclass(slots=True)
class HostLog:
    """A host's log in the file, looked at inside a transaction."""

    db: sqlite3.Connection
    id: int = 0
    newest: int = 0
    state: State = NEVER
    keep_s: float = 0.0

    @classmethod
    def find(cls, db: sqlite3.Connection, name: str) -> "HostLog":
        """The host's log; empty, with id 0, when the file has none."""
        row = db.execute("SELECT id, newest, last, due, keep FROM host WHERE name = ?", (name,)).fetchone()
        return cls(db) if row is None else cls(db, row[0], row[1], State(row[2], row[3]), row[4])

    def nth(self, n: int) -> float | None:
        """The time of the n-th newest permit (1 is the newest), None beyond the log's end."""
        number = self.newest - n + 1
        if number < 1:
            return None
        row = self.db.execute("SELECT at FROM permit WHERE host = ? AND number = ?", (self.id, number)).fetchone()
        return None if row is None else float(row[0])

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
            for number in range(first, self.newest + 1):
                self.db.execute("INSERT INTO permit VALUES (?, ?, ?)", (self.id, number, state.last))

    def trim(self, before: float, at_most: int) -> None:
        """Remove the oldest permits, those given before `before`."""
        self.db.execute(
            "DELETE FROM permit WHERE host = ?1 AND number <= (SELECT max(number) FROM (SELECT number, at FROM permit "
            "WHERE host = ?1 ORDER BY number LIMIT ?3) WHERE at < ?2)",
            (self.id, before, at_most),
        )


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

    def open(self) -> None:
        """Open the file now, so that a directory which cannot be used is known at the start.

        Blocks for up to some seconds while other processes open it too. Raises PermitStoreError.
        """
        self._file.open(patience_s=_OPEN_PATIENCE_S)

    async def take(self, key: str, limit: Limit, *, queued: bool) -> Verdict:
        return ADMITTED if limit.unlimited else self._take(key, plan(limit), queued=queued)

    def _take(self, key: str, made: Plan, *, queued: bool) -> Verdict:
        with self._file.writing() as db:
            log = HostLog.find(db, key)
            now = self._clock.now()
            verdict = decide(made, log.nth, log.state, now)
            if verdict.admitted:
                log.record(key, made.after(log.state, now, queued=queued), made.keep_s)
                self._file.note_wall(db)
                self._sweep(db, log, now)
                db.execute("COMMIT")
            return verdict

    async def predict(self, key: str, limit: Limit, ahead: int) -> float:
        if limit.unlimited:
            return 0.0
        with self._file.reading() as db:
            log = HostLog.find(db, key)
            return predict(plan(limit), log.nth, log.state, self._clock.now(), ahead)

    async def aclose(self) -> None:
        self._file.close()

    def _sweep(self, db: sqlite3.Connection, log: HostLog, now: float) -> None:
        """Now and then: shorten this log, and forget hosts whose permits no longer matter, some at a time."""
        self._until_sweep -= 1
        if self._until_sweep:
            return
        self._until_sweep = _SWEEP_EVERY
        log.trim(now - log.keep_s, _SWEEP_PERMITS)
        rows = db.execute(
            "SELECT id, last + keep < ?1 AND due + keep < ?1 FROM host WHERE id > ?2 ORDER BY id LIMIT ?3",
            (now, self._swept_id, _SWEEP_HOSTS),
        ).fetchall()
        self._swept_id = rows[-1][0] if len(rows) == _SWEEP_HOSTS else 0
        for host_id in [row[0] for row in rows if row[1]]:
            db.execute("DELETE FROM permit WHERE host = ?", (host_id,))
            db.execute("DELETE FROM host WHERE id = ?", (host_id,))
