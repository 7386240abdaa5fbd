"""`sluicegate cache warm`: fetch what users will ask for, through cache and limiter."""

from typing import Any

import click

from sluicegate.cli.cache.warming_progress import report
from sluicegate.cli.cache.warming_run import Job, warmed
from sluicegate.cli.options import collect, proxy_options
from sluicegate.cli.output import print_json
from sluicegate.cli.request_options import field_option
from sluicegate.core.http import FieldList
from sluicegate.loop import run

INTERRUPTED_EXIT = 130

EXAMPLES = """\b
Examples:
  sluicegate cache warm urls.txt
  sluicegate cache warm https://example.org/sitemap.xml --max 1000
  sluicegate cache warm - -H 'Accept-Encoding: gzip' < urls.txt
"""


@click.command("warm", short_help="Fetch URLs into the cache, through the limiter.", epilog=EXAMPLES)
@click.argument("sources", nargs=-1, metavar="[FILE|URL|-]...")
@click.option("--sitemap", "sitemaps", multiple=True, metavar="URL", help="A sitemap or an index of sitemaps.")
@field_option
@click.option("--refresh", is_flag=True, help="Ask the origin even about what is fresh.")
@click.option("--max", "at_most", type=click.IntRange(min=1), metavar="N", help="No more than the first N URLs.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    default=32,
    show_default=True,
    help="Requests under way at the same time; the limits of the hosts hold besides.",
)
@click.option("--any-host", is_flag=True, help="Take a sitemap's URLs on other hosts than its own.")
@click.option("--restart", is_flag=True, help="Forget what an interrupted run of this command has done.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be asked for; sitemaps are read all the same.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@proxy_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    sources: tuple[str, ...],
    sitemaps: tuple[str, ...],
    fields: FieldList,
    refresh: bool,
    at_most: int | None,
    concurrency: int,
    any_host: bool,
    restart: bool,
    dry_run: bool,
    as_json: bool,
    **parameters: Any,
) -> None:
    """Fetch URLs into the cache, through the limiter, whether a proxy runs or not.

    FILE lists URLs, one a line, # begins a comment; - is standard input. Sitemaps, indexes of sitemaps and .gz are known by
    what they are, URLs of sitemaps by their name. What is fresh in the cache costs nothing, so a run that was interrupted
    is resumed by the same command: it goes on where it stopped. Exit code 1 when something failed.
    """
    if not sources and not sitemaps:
        raise click.UsageError("Nothing to warm: name a list, a URL or a sitemap.", ctx)
    settings = collect({**parameters, "fallback_defaults": False}).settings
    if settings.cache.mode == "off" or settings.cache.store == "memory":
        raise click.UsageError(
            "Nothing would be kept: this needs cache.mode shared or private, and cache.store disk or redis.", ctx
        )
    job = Job(sources, sitemaps, fields, refresh, restart, any_host, dry_run, at_most, concurrency)
    summary = run(warmed(settings, job))
    print_json(summary.document()) if as_json else report(summary, dry_run=dry_run)
    if summary.interrupted:
        ctx.exit(INTERRUPTED_EXIT)
    if not summary.good:
        ctx.exit(1)
