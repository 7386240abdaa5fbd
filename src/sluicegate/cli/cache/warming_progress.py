"""How far a run of `cache warm` is: a bar on a terminal, a line now and then elsewhere; and its report."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sluicegate.core.text import human_bytes, printable
from sluicegate.warming.results import Outcome, Summary, section_of, sentence_of

_LINE_EVERY_S = 5.0
_FAILURES_SHOWN = 20
_URLS_SHOWN = 3
_SAID = {
    Outcome.STORED: "stored",
    Outcome.CONFIRMED: "still good, as the origin confirmed",
    Outcome.FRESH: "already fresh",
    Outcome.NOT_CACHEABLE: "not cacheable",
    Outcome.FAILED: "failed",
    Outcome.TO_FETCH: "would be asked for",
}


class Advancing(Protocol):
    """Shows the summary as it is."""

    def advance(self) -> None:
        """One more has ended."""


def progress_of(summary: Summary) -> AbstractContextManager[Advancing]:
    """A bar if standard error is a terminal, else lines there."""
    console = Console(stderr=True)
    return _bar(summary, console) if console.is_terminal else _lines(summary)


def report(summary: Summary, *, dry_run: bool = False) -> None:
    """The end of it, on standard output."""
    for line in _report(summary, dry_run=dry_run):
        click.echo(line)


class _Bar:
    def __init__(self, summary: Summary, progress: Progress) -> None:
        self._summary = summary
        self._progress = progress
        self._task = progress.add_task("", total=summary.total - summary.skipped)

    def advance(self) -> None:
        self._progress.update(self._task, advance=1, description=_counts(self._summary))


class _Lines:
    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        self._next = time.monotonic() + _LINE_EVERY_S

    def advance(self) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _LINE_EVERY_S
            self.tell()

    def tell(self) -> None:
        """Print how far it is."""
        summary = self._summary
        click.echo(f"{summary.tried + summary.skipped} of {summary.total}: {_counts(summary)}", err=True)


@contextmanager
def _bar(summary: Summary, console: Console) -> Iterator[_Bar]:
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield _Bar(summary, progress)


@contextmanager
def _lines(summary: Summary) -> Iterator[_Lines]:
    lines = _Lines(summary)
    if summary.skipped:
        lines.tell()
    yield lines


def _counts(summary: Summary) -> str:
    counted = [f"{summary.counts[outcome]} {_SAID[outcome]}" for outcome in Outcome if summary.counts[outcome]]
    if summary.skipped:
        counted.append(f"{summary.skipped} done before")
    return ", ".join(counted) or "nothing yet"


def _report(summary: Summary, *, dry_run: bool) -> Iterator[str]:
    unit = "URL" if summary.total == 1 else "URLs"
    read = "" if dry_run else f"; {human_bytes(summary.body_bytes)} read"
    yield f"{summary.total} {unit}: {_counts(summary)}{read}."
    for token, urls in summary.not_cacheable.items():
        section = section_of(token)
        yield f"Not cacheable, {len(urls)}: {sentence_of(token)} ({', '.join(filter(None, (token, section)))})"
        yield from (f"  {printable(url)}" for url in urls[:_URLS_SHOWN])
        if len(urls) > _URLS_SHOWN:
            yield f"  and {len(urls) - _URLS_SHOWN} more"
    if summary.failed:
        yield f"Failed, {len(summary.failed)}:"
        yield from (
            f"  {result.wanted.place}: {printable(result.wanted.url)}: {printable(result.why)}"
            for result in summary.failed[:_FAILURES_SHOWN]
        )
        if len(summary.failed) > _FAILURES_SHOWN:
            yield f"  and {len(summary.failed) - _FAILURES_SHOWN} more; --json has them all"
    if summary.problems:
        yield f"Not read, {len(summary.problems)}: see the warnings."
    if summary.interrupted:
        yield "Interrupted. The same command goes on from here."
