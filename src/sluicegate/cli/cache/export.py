"""`sluicegate cache export`: stored responses as files, as a WARC, or one body on standard output."""

import shutil
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import click

from sluicegate.cli.cache.opened import chosen, opened, run_command
from sluicegate.cli.cache.progress import counting
from sluicegate.cli.cache.selecting import selection_options, selections
from sluicegate.cli.client_options import config_options
from sluicegate.cli.options import collect
from sluicegate.clock import SystemClock
from sluicegate.config.models import Settings
from sluicegate.core.caching.listing import Listed
from sluicegate.core.text import printable
from sluicegate.upkeep.exporting import Tree, Unexported, fetch, spool
from sluicegate.upkeep.reading import Verdict
from sluicegate.upkeep.selection import Selection
from sluicegate.upkeep.warc import WarcWriter

_STANDARD_OUTPUT = Path("-")

type _Put = Callable[[Listed, BinaryIO], object]

EXAMPLES = """\b
Examples:
  sluicegate cache export https://example.org/file.tar.gz --output - > file.tar.gz
  sluicegate cache export --host example.org --output saved/
  sluicegate cache export --newer-than 1d --warc crawl.warc.gz
"""


@click.command("export", short_help="Write stored responses to files, a WARC or standard output.", epilog=EXAMPLES)
@selection_options
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A new or empty directory for the bodies and index.jsonl with their heads; - is standard output, for one body.",
)
@click.option(
    "--warc",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A new WARC 1.1 file with requests and responses, compressed if its name ends in .gz.",
)
@config_options("--state-dir")
@click.pass_context
def command(ctx: click.Context, /, *, output: Path | None, warc: Path | None, **parameters: Any) -> None:
    """Write stored responses to files, a WARC or standard output. A body is checked before anything of it is written.

    Without a condition, everything is exported. Exit code 1 when nothing is meant, or something could not be exported.
    """
    if (output is None) is (warc is None):
        raise click.UsageError("Say where to, once: --output DIR, --output - for one body, or --warc FILE.", ctx)
    settings = collect(parameters).settings
    wanted = selections(parameters, settings)
    if output == _STANDARD_OUTPUT:
        good = run_command(ctx, _to_standard_output(settings, wanted))
    else:
        good = run_command(ctx, _to_files(settings, wanted, output, warc))
    if not good:
        ctx.exit(1)


async def _to_standard_output(settings: Settings, wanted: Iterable[Selection]) -> bool:
    if sys.stdout.isatty():
        raise click.UsageError("A body may be anything: redirect the output.")
    async with opened(settings) as store:
        found: list[Listed] = []
        async for listed in chosen(store, wanted, SystemClock().wall()):
            found.append(listed)
            if len(found) > 1:
                raise click.ClickException("This means more than one stored response: use --output DIR.")
        if not found:
            click.echo("Nothing is stored that this means.", err=True)
            return False
        try:
            with spool() as body:
                await fetch(store, found[0], body)
                shutil.copyfileobj(body, sys.stdout.buffer)
        except Unexported as error:
            raise click.ClickException(f"It is {error.verdict.value}: {error}.") from None
    return True


async def _to_files(settings: Settings, wanted: Iterable[Selection], output: Path | None, warc: Path | None) -> bool:
    done = failed = 0
    async with opened(settings) as store:
        with ExitStack() as stack:
            put = _when_needed(lambda: _tree(output, stack) if output else _warc(warc or _STANDARD_OUTPUT, stack))
            with counting(store, "exporting") as counted:
                async for listed in chosen(store, wanted, SystemClock().wall()):
                    try:
                        with spool() as body:
                            await fetch(store, listed, body)
                            put(listed, body)
                        done += 1
                    except Unexported as error:
                        if error.verdict is Verdict.DAMAGED:
                            failed += 1
                            click.echo(f"left out, damaged: {printable(listed.key)}: {error}", err=True)
                    counted()
    click.echo(f"{done} exported" + (f", {failed} left out." if failed else "."))
    return bool(done) and not failed


def _when_needed(make: Callable[[], _Put]) -> _Put:
    """So that an export of nothing leaves nothing behind, and can be tried again."""
    made = cache(make)

    def put(listed: Listed, body: BinaryIO) -> None:
        made()(listed, body)

    return put


def _tree(directory: Path, stack: ExitStack) -> _Put:
    try:
        tree = Tree(directory)
    except OSError as error:
        reason = error.strerror or "not empty"
        raise click.FileError(str(directory), f"{reason}. Name a new or empty directory.") from error
    stack.callback(tree.close)
    return tree.put


def _warc(path: Path, stack: ExitStack) -> _Put:
    try:
        out = stack.enter_context(path.open("xb"))
    except OSError as error:
        raise click.FileError(str(path), f"{error.strerror}. Name a new file.") from error
    software = f"sluicegate/{version('sluicegate')}"
    return WarcWriter(out, software=software, now=SystemClock().wall(), compress=path.suffix == ".gz").put
