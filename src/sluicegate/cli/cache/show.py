"""`sluicegate cache show`: all that is stored for a URL, with what each variant is good for."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from sluicegate.cli.cache.opened import chosen, opened, run_command
from sluicegate.cli.client_options import config_options
from sluicegate.cli.options import collect
from sluicegate.cli.output import print_json
from sluicegate.clock import SystemClock
from sluicegate.config.compile import cache_keys, cache_rules
from sluicegate.config.models import Settings
from sluicegate.core.caching.digests import NAME
from sluicegate.core.caching.listing import Listed
from sluicegate.core.text import human_bytes, human_seconds, printable
from sluicegate.explain.stored import Variant, variant_of
from sluicegate.upkeep.exporting import head_document
from sluicegate.upkeep.selection import Selection

_INDENT = 16


EXAMPLES = """\b
Examples:
  sluicegate cache show https://example.org/logo.png
  sluicegate cache show --json https://example.org/logo.png | jq '.[].fields'
"""


@click.command("show", short_help="Show all that is stored for a URL.", epilog=EXAMPLES)
@click.argument("url")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_options("--state-dir")
@click.pass_context
def command(ctx: click.Context, /, *, url: str, as_json: bool, **parameters: Any) -> None:
    """Show all that is stored for URL: each variant with its head, its age, for how long it is fresh and why.

    Exit code 1 when nothing is stored for it.
    """
    settings = collect(parameters).settings
    found = run_command(ctx, _found(settings, url))
    now, rules = SystemClock().wall(), cache_rules(settings)
    variants = [
        (listed, variant_of(listed.entry.request, listed.entry, rules.options(listed.entry.request), now))
        for listed in found
    ]
    if as_json:
        print_json([head_document(listed) | {"variant": asdict(variant)} for listed, variant in variants])
    else:
        for number, (listed, variant) in enumerate(variants, 1):
            if number > 1:
                click.echo()
            for line in _told(listed, variant, f"{number} of {len(variants)}", now):
                click.echo(line)
    if not found:
        if not as_json:
            click.echo(f"Nothing is stored for {url}.")
        ctx.exit(1)


async def _found(settings: Settings, url: str) -> list[Listed]:
    wanted = [Selection(url=key) for key in cache_keys(url, settings)]
    async with opened(settings) as store:
        return [listed async for listed in chosen(store, wanted, SystemClock().wall())]


def _told(listed: Listed, variant: Variant, place: str, now: float) -> Iterator[str]:
    entry = listed.entry
    yield click.style(printable(listed.key), bold=True)
    yield _fact("Variant", f"{place}, id {entry.id}")
    yield _fact("Stored", f"{_moment(entry.response_time)}, {human_seconds(max(0.0, now - entry.response_time))} ago")
    yield _fact("Used", _moment(listed.used) if listed.used else "when is not known")
    yield _fact("Age", human_seconds(variant.age_s))
    yield _fact("Fresh", _freshness(variant))
    for selector in variant.vary:
        yield _fact("Selected by", f"{selector.name}: {'(absent)' if selector.stored is None else selector.stored}")
    if variant.part is not None:
        yield _fact("Part", variant.part)
    yield _fact("Body", f"{entry.body_length} bytes, {_digest(listed)}")
    yield _fact("Takes", human_bytes(listed.size))
    yield ""
    yield printable(f"HTTP/1.1 {entry.response.status} {entry.response.reason.decode('latin-1')}")
    for name, value in entry.response.fields:
        yield printable(f"{name.decode('latin-1')}: {value.decode('latin-1')}")


def _fact(name: str, text: str) -> str:
    return f"  {name:{_INDENT}}{printable(text)}"


def _freshness(variant: Variant) -> str:
    if variant.strayed:
        return "no: it is stored under a key of a rule that is no longer in force, and answers nothing"
    lifetime = f"{human_seconds(variant.lifetime.seconds)} by {variant.lifetime.text} ({variant.lifetime.section})"
    left = variant.fresh_for_s
    text = f"for {human_seconds(left)}" if left > 0 else f"no longer, for {human_seconds(-left)}"
    ask = "; but the origin is asked each time: it said no-cache" if variant.asks_each_time else ""
    never = "; never used stale" if variant.never_stale else ""
    return f"{text}: {lifetime}{ask}{never}"


def _digest(listed: Listed) -> str:
    return "without a digest (an older version stored it)" if listed.digest is None else f"{NAME} {listed.digest.hex()}"


def _moment(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).astimezone().isoformat(" ", "seconds")
