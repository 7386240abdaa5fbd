"""`sluicegate cache stats`: what there is, in figures."""

from collections.abc import Iterable
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from sluicegate.cli.cache.opened import chosen, opened, run_command
from sluicegate.cli.cache.progress import counting
from sluicegate.cli.cache.selecting import selection_options, selections
from sluicegate.cli.client_options import config_options
from sluicegate.cli.options import collect
from sluicegate.cli.output import console, print_json
from sluicegate.clock import SystemClock
from sluicegate.config.compile import cache_rules
from sluicegate.config.models import Settings
from sluicegate.core.text import human_bytes, human_seconds, printable
from sluicegate.upkeep.selection import Selection
from sluicegate.upkeep.summing import Figures, Share, Use, use_of

_USES = {
    Use.FRESH: "fresh: answers without the origin",
    Use.REVALIDATES: "to be confirmed: has a validator",
    Use.STALE: "stale, without a validator",
}
_TYPES_SHOWN = 10


EXAMPLES = """\b
Examples:
  sluicegate cache stats --top 20
  sluicegate cache stats --host '*.example.org' --json
"""


@click.command("stats", short_help="Sum up what there is, by host, status and freshness.", epilog=EXAMPLES)
@selection_options
@click.option(
    "--top", type=click.IntRange(1, 1000), default=10, show_default=True, metavar="N", help="The N largest hosts."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_options("--state-dir")
@click.pass_context
def command(ctx: click.Context, /, *, top: int, as_json: bool, **parameters: Any) -> None:
    """Sum up what is stored: in all, by host, status and type, and what it is good for now."""
    settings = collect(parameters).settings
    figures = run_command(ctx, _figures(settings, selections(parameters, settings)))
    if as_json:
        print_json(_document(figures, top))
    else:
        _show(figures, top)


async def _figures(settings: Settings, wanted: Iterable[Selection]) -> Figures:
    now, rules, figures = SystemClock().wall(), cache_rules(settings), Figures()
    async with opened(settings) as store:
        with counting(store, "summing up") as counted:
            async for listed in chosen(store, wanted, now):
                figures.add(listed, use_of(listed, rules.options, now))
                counted()
    return figures


def _document(figures: Figures, top: int) -> dict[str, Any]:
    return {
        "entries": figures.total.entries,
        "bytes": figures.total.bytes,
        "body_bytes": figures.body_bytes,
        "oldest": figures.oldest,
        "newest": figures.newest,
        "without_digest": figures.undigested,
        "hosts": len(figures.by_host),
        "by_host": {host: _plain(share) for host, share in figures.largest_hosts(top)},
        "by_status": {str(status): _plain(share) for status, share in sorted(figures.by_status.items())},
        "by_use": {use.value: _plain(share) for use, share in figures.by_use.items()},
        "by_type": dict(figures.by_type.most_common(_TYPES_SHOWN)),
    }


def _plain(share: Share) -> dict[str, int]:
    return {"entries": share.entries, "bytes": share.bytes}


def _show(figures: Figures, top: int) -> None:
    out, total = console(), figures.total
    out.print(f"{total.entries} responses, {human_bytes(total.bytes)} ({human_bytes(figures.body_bytes)} of bodies)")
    if not total.entries or figures.oldest is None or figures.newest is None:
        return
    now = SystemClock().wall()
    oldest, newest = (human_seconds(max(0, int(now - moment))) for moment in (figures.oldest, figures.newest))
    out.print(f"stored or confirmed between {oldest} and {newest} ago")
    if figures.undigested:
        out.print(f"{figures.undigested} without a digest: an older version stored them")
    out.print()
    out.print(_table("What for", [(_USES[use], share) for use, share in figures.by_use.items()], total))
    out.print()
    out.print(_table("Status", [(str(status), share) for status, share in sorted(figures.by_status.items())], total))
    out.print()
    hosts = len(figures.by_host)
    title = f"Host (the largest {top} of {hosts})" if hosts > top else "Host"
    out.print(_table(title, figures.largest_hosts(top), total))


def _table(title: str, rows: Iterable[tuple[str, Share]], total: Share) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(title)
    for name in ("Responses", "", "Size"):
        table.add_column(name, justify="right")
    for name, share in rows:
        part = f"{100 * share.entries / total.entries:.1f} %"
        table.add_row(Text(printable(name)), str(share.entries), part, human_bytes(share.bytes))
    return table
