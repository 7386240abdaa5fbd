"""A run of `cache warm`: gather, go on where the run before stopped, fetch, and stop when told to."""

import asyncio
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from sluicegate.cli.cache.warming_progress import progress_of
from sluicegate.clock import Clock, SystemClock
from sluicegate.config import compile as compiled
from sluicegate.config.models import Settings
from sluicegate.core.caching import policy
from sluicegate.core.caching.decisions import Hit
from sluicegate.core.http import FieldList, end_to_end
from sluicegate.core.text import printable
from sluicegate.core.urls import parse_url, request_for
from sluicegate.groundwork import make_state_dir
from sluicegate.loop import handle_signals
from sluicegate.observe.witness import Witness
from sluicegate.outgoing import Outgoing
from sluicegate.tasks import spawn
from sluicegate.warming.agenda import Agenda
from sluicegate.warming.gathering import STDIN, Gathering
from sluicegate.warming.journal import Journal
from sluicegate.warming.lists import Wanted
from sluicegate.warming.results import Outcome, Result, Summary
from sluicegate.warming.warmer import Warmer

_PATIENCE_S = 7 * 24 * 3600.0
"""For a permit: nobody waits here who would go away."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the command line asks for."""

    sources: tuple[str, ...]
    sitemaps: tuple[str, ...]
    fields: FieldList
    refresh: bool
    restart: bool
    any_host: bool
    dry_run: bool
    at_most: int | None
    concurrency: int

    def identity(self) -> Iterable[str]:
        """What makes another command line the same job."""
        yield "refresh" if self.refresh else "warm"
        for source in self.sources:
            local = source != STDIN and "://" not in source
            yield str(Path(source).absolute()) if local else source
        for sitemap in self.sitemaps:
            yield f"sitemap {sitemap}"
        for name, value in self.fields:
            yield f"{name.decode()}: {value.decode('latin-1')}"


async def warmed(settings: Settings, job: Job) -> Summary:
    """Do the job, or as much of it as is done when a signal comes. Raises StartError."""
    make_state_dir(settings.state_dir)
    clock, witness = SystemClock(), Witness()
    with Journal(settings.state_dir / "warm", job.identity(), now=clock.wall(), restart=job.restart) as journal:
        outgoing = Outgoing(settings, clock=clock, events=witness, patience_s=_PATIENCE_S)
        try:
            run = _Run(settings, job, outgoing, journal, clock)
            await run.until_interrupted()
        finally:
            await outgoing.close()
    run.summary.warnings = witness.warnings
    _warn(witness.warnings)
    return run.summary


class _Run:
    def __init__(self, settings: Settings, job: Job, outgoing: Outgoing, journal: Journal, clock: Clock) -> None:
        self.summary = Summary()
        self._job = job
        self._outgoing = outgoing
        self._journal = journal
        self._clock = clock
        self._rules = compiled.cache_rules(settings)
        self._interception = compiled.interception(settings)
        self._warmer = Warmer(outgoing.engine, job.fields, refresh=job.refresh)

    async def until_interrupted(self) -> None:
        """Work until all is done or a signal comes; a second one ends the process at once."""
        working = spawn(self._work(), name="warm")

        def stop() -> None:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)
            working.cancel()

        handle_signals(stop, stop)
        try:
            await working
        except asyncio.CancelledError:
            self.summary.interrupted = True
        else:
            if not self._job.dry_run:
                self._journal.finish()

    async def _work(self) -> None:
        wanted = (await self._gathered())[: self._job.at_most]
        left = [one for one in wanted if one.url not in self._journal.done]
        self.summary.total, self.summary.skipped = len(wanted), len(wanted) - len(left)
        with progress_of(self.summary) as progress:

            def on_result(result: Result) -> None:
                self._note(result)
                progress.advance()

            if self._job.dry_run:
                for one in left:
                    on_result(await self._looked_up(one))
            else:
                agenda = Agenda(left, lambda host: self._outgoing.table.match(host)[0].concurrency)
                await self._warmer.warm(agenda, self._job.concurrency, on_result)

    async def _gathered(self) -> list[Wanted]:
        """All that is meant and that the cache can see; what is wrong with the rest is told."""
        gathering = Gathering(self._warmer.fetch, at_most=self._job.at_most, any_host=self._job.any_host)
        for source in self._job.sources:
            await gathering.take(source)
        for url in self._job.sitemaps:
            await gathering.take_sitemap(url)
        problems, seen = gathering.wanting.problems, []
        for one in gathering.wanting.urls:
            origin, _ = parse_url(one.url)
            if origin.scheme == "https" and self._interception.tunnels(origin.host):
                problems.append(f"{one.place}: {one.url} is tunneled: the cache never sees requests for it")
            else:
                seen.append(one)
        self.summary.problems = problems
        _warn(problems)
        return seen

    def _note(self, result: Result) -> None:
        self.summary.add(result)
        if result.outcome is not Outcome.FAILED and not self._job.dry_run:
            self._journal.note(result.wanted.url)

    async def _looked_up(self, one: Wanted) -> Result:
        """Whether it is fresh in the cache."""
        request = request_for(one.url, self._job.fields)
        request = request.with_fields(end_to_end(request.fields))
        key, options = self._rules.resolve(request)
        found = policy.look_up(request, await self._outgoing.store.entries(key), options, self._clock.wall())
        fresh = isinstance(found, Hit) and not self._job.refresh
        return Result(one, Outcome.FRESH if fresh else Outcome.TO_FETCH)


def _warn(messages: Iterable[str]) -> None:
    for message in messages:
        click.echo(f"Warning: {printable(message)}", err=True)
