"""`sluicegate cache purge`: remove what is stored."""

import sys
from collections.abc import Iterable
from typing import Any

import click

from sluicegate.cli.cache.admin import purged_remotely
from sluicegate.cli.cache.opened import opened, run_command
from sluicegate.cli.cache.selecting import selection_options, selections
from sluicegate.cli.client_options import config_options
from sluicegate.cli.options import collect
from sluicegate.clock import SystemClock
from sluicegate.config.models import Settings
from sluicegate.upkeep.purging import purge
from sluicegate.upkeep.selection import Selection

EXAMPLES = """\b
Examples:
  sluicegate cache purge https://example.org/index.json
  sluicegate cache purge --host '*.example.org' --tag release-4
  sluicegate cache purge --older-than 30d
  sluicegate cache purge --all --yes
"""


@click.command("purge", short_help="Remove what is stored.", epilog=EXAMPLES)
@selection_options
@click.option("--all", "everything", is_flag=True, help="Everything there is.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask first.")
@config_options("--state-dir", "--admin")
@click.pass_context
def command(ctx: click.Context, /, *, everything: bool, yes: bool, **parameters: Any) -> None:
    """Remove what is stored: when this returns, no running proxy uses any of it.

    Of several conditions all must hold. On a terminal it asks first, unless URLs are named.
    """
    settings = collect(parameters).settings
    wanted = selections(parameters, settings)
    chooses = not any(selection.is_everything for selection in wanted)
    if everything is chooses:
        raise click.UsageError(
            "--all goes with no condition." if everything else "Say what to remove, or --all for everything.", ctx
        )
    if not (yes or parameters["urls"]) and is_terminal():
        click.confirm("Remove everything that is stored?" if everything else "Remove all that this means?", abort=True)
    count = run_command(ctx, _purged(settings, wanted))
    click.echo(f"{count} stored response{'s' * (count != 1)} removed.")


def is_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


async def _purged(settings: Settings, wanted: Iterable[Selection]) -> int:
    if settings.cache.store == "memory":
        return sum(purged_remotely(settings, selection) for selection in wanted)
    now = SystemClock().wall()
    async with opened(settings) as store:
        return sum([await purge(store, selection, now) for selection in wanted])
