"""`sluicegate cache verify`: every body against its length and digest."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import click

from sluicegate.cli.cache.opened import opened, run_command
from sluicegate.cli.cache.progress import counting
from sluicegate.cli.cache.selecting import selection_options, selections
from sluicegate.cli.client_options import config_options
from sluicegate.cli.options import collect
from sluicegate.cli.output import print_json
from sluicegate.clock import SystemClock
from sluicegate.config.models import Settings
from sluicegate.core.text import printable
from sluicegate.upkeep.reading import Verdict
from sluicegate.upkeep.selection import Selection
from sluicegate.upkeep.verifying import Checked, verify

_SAID = {
    Verdict.SOUND: "sound",
    Verdict.UNPROVEN: "of the right length, without a digest (an older version stored them)",
    Verdict.GONE: "removed or replaced meanwhile",
}


EXAMPLES = """\b
Examples:
  sluicegate cache verify
  sluicegate cache verify --repair
  sluicegate cache verify --host example.org --json
"""


@click.command("verify", short_help="Read every body and compare it with its digest.", epilog=EXAMPLES)
@selection_options
@click.option("--repair", is_flag=True, help="Remove what is damaged.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_options("--state-dir")
@click.pass_context
def command(ctx: click.Context, /, *, repair: bool, as_json: bool, **parameters: Any) -> None:
    """Read every stored body and compare it with the length and the digest that were recorded when it was stored.

    Exit code 1 when something is damaged, removed or not.
    """
    settings = collect(parameters).settings
    counts, damaged = run_command(
        ctx, _verified(settings, selections(parameters, settings), repair=repair, tell=not as_json)
    )
    if as_json:
        told = [{"url": one.listed.key, "id": one.listed.entry.id, "problem": one.problem} for one in damaged]
        counted = {verdict.value: counts[verdict] for verdict in Verdict}
        print_json({"checked": counts.total(), **counted, "removed": repair, "responses": told})
    else:
        click.echo(_summary(counts, repair=repair))
    if damaged:
        ctx.exit(1)


async def _verified(
    settings: Settings, wanted: Iterable[Selection], *, repair: bool, tell: bool
) -> tuple[Counter[Verdict], list[Checked]]:
    counts: Counter[Verdict] = Counter()
    damaged: list[Checked] = []
    async with opened(settings) as store:
        with counting(store, "verifying") as counted:
            for selection in wanted:
                async for checked in verify(store, selection, SystemClock().wall(), repair=repair):
                    counts[checked.verdict] += 1
                    counted()
                    if checked.verdict is Verdict.DAMAGED:
                        damaged.append(checked)
                        if tell:
                            click.echo(f"damaged: {printable(checked.listed.key)}: {checked.problem}")
    return counts, damaged


def _summary(counts: Counter[Verdict], *, repair: bool) -> str:
    parts = [f"{counts[verdict]} {said}" for verdict, said in _SAID.items() if counts[verdict]]
    if counts[Verdict.DAMAGED]:
        done = "removed" if repair else "remove them with --repair"
        parts.append(click.style(f"{counts[Verdict.DAMAGED]} damaged ({done})", fg="red"))
    return f"{counts.total()} checked" + (f": {', '.join(parts)}." if parts else ".")
