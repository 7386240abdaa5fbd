"""Kill, start again, and look: one world with origins, clients and a proxy that dies at any moment."""

import asyncio
import contextlib
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crash import origin as origin_script
from crash.clients import Connection, Gate, Presser, Reader
from crash.ledger import Ledger, Reply, longest_pause, most_at_once, windows_exceeded
from crash.leftovers import disk_use, problems
from crash.victim import Victim, until
from support.windows import JITTER_S

MIB = 1024 * 1024
MAX_SIZE = 24 * MIB
SLACK = 10 * MIB
"""Besides the entries: the database's log (4 MiB and a batch), directories, and what is free inside the database."""
RATES = [(20, 1.0), (30, 6.0)]
"""The second is longer than a restart, so who forgets what was sent before exceeds it."""
SLOTS = 4
_CONTENT, _RATED, _SLOTTED = "127.0.0.1", "127.0.0.2", "127.0.0.3"
_SECTIONS: dict[str, Any] = {
    "limits": {
        "hosts": {
            _CONTENT: {"rates": "unlimited", "concurrency": 64},
            _RATED: {"rates": [f"{count}/{int(window_s)}second" for count, window_s in RATES], "concurrency": 64},
            _SLOTTED: {"rates": "unlimited", "concurrency": SLOTS},
        }
    },
    "cache": {"max_size": f"{MAX_SIZE // MIB}MiB"},
}
MOMENTS = ("any", "first piece", "any", "last piece", "change", "any", "start")
_LATEST_S = 3.0
"""A moment that has not come by then is now."""


@dataclass
class Report:
    """What came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    starts_s: list[float] = field(default_factory=list)
    most_disk: int = 0
    most_disk_shares: str = ""
    most_settled: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    limited: int = 0
    most_at_once: int = 0
    longest_pause_s: float = 0.0
    violations: list[str] = field(default_factory=list)


class World:
    """Everything that runs."""

    def __init__(
        self,
        directory: Path,
        workers: int,
        seed: int,
        *,
        overlap: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.report = Report()
        self._directory = directory
        self._cache = directory / "state" / "cache"
        self._dice = random.Random(seed)
        self._ledger = Ledger()
        self._victim = Victim(directory, workers, **_SECTIONS)
        self._gate = Gate()
        self._overlap = overlap
        self._say = say
        self._moment = ""
        self._strike: Callable[[], None] = lambda: None
        self._struck = asyncio.Event()

    async def run(self, rounds: int, *, settle_every: int = 10, clients: int = 16) -> Report:
        """So many kills; `report.violations` has all that should not have been."""
        with contextlib.ExitStack() as origins:
            urls = {
                host: f"http://{host}:{origins.enter_context(_origin(role, host, self._notes(host)))}"
                for role, host in (("content", _CONTENT), ("limited", _RATED), ("limited", _SLOTTED))
            }
            self.report.starts_s.append(await self._victim.start())
            try:
                async with self._pressure(urls, clients):
                    for number in range(rounds):
                        await self._round(number)
                        if (number + 1) % settle_every == 0 or number + 1 == rounds:
                            await self._settle()
                        self._progress(number)
            finally:
                self._victim.stop()
        self._conclude()
        return self.report

    def _notes(self, host: str) -> Path:
        return self._directory / f"notes-{host}"

    @contextlib.asynccontextmanager
    async def _pressure(self, urls: dict[str, str], clients: int) -> AsyncIterator[None]:
        def common() -> tuple[Connection, random.Random]:
            return Connection(self._victim), random.Random(self._dice.random())

        runs: list[Reader | Presser] = []
        for _ in range(clients):
            connection, dice = common()
            told = {"dice": dice, "watch": self._on_piece, "overlap": self._overlap}
            runs.append(Reader(urls[_CONTENT], connection, self._ledger, self._gate, **told))
        for host, count, waits_ms in ((_RATED, 6, (0, 0)), (_SLOTTED, 2 * SLOTS, (100, 200))):
            for _ in range(count):
                connection, dice = common()
                runs.append(Presser(urls[host], connection, dice=dice, waits_ms=waits_ms))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run.run()) for run in runs]
            yield
            for task in tasks:
                task.cancel()

    async def _round(self, number: int) -> None:
        victim = self._victim
        moment = MOMENTS[number % len(MOMENTS)]
        whom = (
            ("all",) if victim.workers == 1 else ("worker 0", "worker 1", "all", "worker 0", "worker 1", "supervisor")
        )
        target = whom[number % len(whom)]
        before = victim.worker_pids()
        self._strike = {
            "all": victim.kill_all,
            "supervisor": victim.kill_supervisor,
            "worker 0": lambda: victim.kill_worker(0),
            "worker 1": lambda: victim.kill_worker(1),
        }[target]
        self.report.kills[f"{target}, {moment}"] += 1
        await self._at_the_moment(moment)
        if target.startswith("worker"):
            await victim.whole_again(before)
            return
        if moment == "start":
            await victim.start(cut_short_after_s=self._dice.uniform(0.1, 1.5))
            if victim.up.is_set():
                victim.kill_all()
        self.report.starts_s.append(await victim.start())
        if (use := disk_use(self._cache)) > self.report.most_disk:
            self.report.most_disk = use
            self.report.most_disk_shares = _shares(self._cache)

    async def _at_the_moment(self, moment: str) -> None:
        self._struck.clear()
        # Some load first: the moments come often.
        await asyncio.sleep(self._dice.uniform(0.05, 0.6))
        if moment not in {"any", "start"}:
            self._moment = moment
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LATEST_S):
                    await self._struck.wait()
            self._moment = ""
        if not self._struck.is_set():
            self._strike()

    def _on_piece(self, path: str, reply: Reply, left: int | None) -> None:
        """A client has something: is this the moment? `left` bytes are to come; -1: a change was answered."""
        if not self._moment:
            return
        large = path.startswith("/l/") and "fwd=" in reply.fields.get("cache-status", "")
        came = {"first piece": large and left != -1, "last piece": large and left == 0, "change": left == -1}
        if came[self._moment]:
            self._moment = ""
            self._strike()
            self._struck.set()

    async def _settle(self) -> None:
        """Leave the proxy alone, and look whether everything is in order."""
        self._gate.open.clear()
        await until(lambda: self._gate.busy == 0, "the clients to be done", 60)
        await self._victim.alone()
        wrong: list[str] = []

        def in_order() -> bool:
            nonlocal wrong
            wrong = problems(self._cache, self._victim.workers)
            if (use := disk_use(self._cache)) > MAX_SIZE + SLACK:
                wrong.append(f"{use / MIB:.1f} MiB on disk: " + _shares(self._cache))
            return not wrong

        try:
            await until(in_order, "order", 10)
        except TimeoutError:
            self._ledger.violations += wrong
        self.report.most_settled = max(self.report.most_settled, disk_use(self._cache))
        self._gate.open.set()

    def _progress(self, number: int) -> None:
        report = self.report
        counts = self._ledger.counts
        self._say(
            f"{number + 1}: {counts['complete']} complete, {counts['cut']} cut, {counts['hit']} hits, "
            f"{counts['changes']} changes; last start {report.starts_s[-1]:.2f} s; disk {disk_use(self._cache) / MIB:.1f} MiB; "
            f"{len(self._ledger.violations)} violations"
        )

    def _conclude(self) -> None:
        report, rated, slotted = self.report, self._notes(_RATED), self._notes(_SLOTTED)
        report.counts = self._ledger.counts
        report.violations = self._ledger.violations
        report.violations += windows_exceeded(rated, RATES, JITTER_S)
        report.most_at_once = most_at_once(slotted)
        report.longest_pause_s = longest_pause(rated)
        report.limited = len(rated.read_text().splitlines())
        if report.most_at_once > SLOTS:
            report.violations.append(f"{report.most_at_once} requests at once, {SLOTS} allowed")
        for line in self._victim.log.read_text().splitlines() if self._victim.log.exists() else []:
            with contextlib.suppress(ValueError):  # a line that a kill cut off
                report.events[json.loads(line)["event"]] += 1
        if "Traceback" in (told := self._victim.errors.read_text()):
            report.violations.append(told)


def _shares(directory: Path) -> str:
    """What takes the space, for people."""
    return ", ".join(
        f"{path.name} {(disk_use(path) if path.is_dir() else path.stat().st_blocks * 512) / MIB:.1f}"
        for path in sorted(directory.iterdir())
    )


@contextlib.contextmanager
def _origin(role: str, host: str, notes: Path):
    """An origin's port."""
    command = [sys.executable, origin_script.__file__, role, host, str(notes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()
