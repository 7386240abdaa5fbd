"""`sluicegate cache ls`: what is stored, a line each, as it is read."""

import json
from collections.abc import Mapping
from typing import Any

import click

from sluicegate.cli.cache.admin import listed_remotely
from sluicegate.cli.cache.opened import chosen, opened, run_command
from sluicegate.cli.cache.selecting import selection_options, selections
from sluicegate.cli.client_options import config_options
from sluicegate.cli.options import collect
from sluicegate.clock import SystemClock
from sluicegate.config.compile import cache_rules
from sluicegate.config.models import Settings
from sluicegate.core.caching.digests import NAME
from sluicegate.core.caching.facts import facts_of
from sluicegate.core.caching.listing import Listed
from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.core.caching.selection import vary
from sluicegate.core.text import human_bytes, human_seconds, printable
from sluicegate.upkeep.selection import tags_of
from sluicegate.upkeep.summing import Use, media_type, use_of

_COLORS = {Use.FRESH.value: "green", Use.REVALIDATES.value: "yellow", Use.STALE.value: "red"}
_WIDTH_OF_TYPE = 24

EXAMPLES = """\b
Examples:
  sluicegate cache ls
  sluicegate cache ls --host '*.example.org' --older-than 7d
  sluicegate cache ls --json | jq -r 'select(.size > 1e8) | .url'
"""


@click.command("ls", short_help="List what is stored.", epilog=EXAMPLES)
@selection_options
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="No more than N lines.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
@config_options("--state-dir", "--admin")
@click.pass_context
def command(ctx: click.Context, /, *, limit: int | None, as_json: bool, **parameters: Any) -> None:
    """List what is stored, in no order and while it is read: age, for how long it is fresh, size, status, type, URL.

    Of several conditions all must hold; without any, everything is listed.
    """
    settings = collect(parameters).settings
    if not as_json:
        click.secho(f"{'AGE':>12}  {'FRESH FOR':>18}  {'SIZE':>9}  {'':3}  {'TYPE':{_WIDTH_OF_TYPE}}  URL", dim=True)
    run_command(ctx, _list(settings, parameters, limit, as_json=as_json))


async def _list(settings: Settings, parameters: Mapping[str, Any], limit: int | None, *, as_json: bool) -> None:
    now, rules = SystemClock().wall(), cache_rules(settings)
    wanted = selections(parameters, settings)
    count = 0
    if settings.cache.store == "memory":
        for selection in wanted:
            for document in listed_remotely(settings, selection):
                click.echo(json.dumps(_remote_document(document, now)) if as_json else _remote_line(document, now))
                count += 1
                if count == limit:
                    return
        return
    async with opened(settings) as store:
        async for listed in chosen(store, wanted, now):
            click.echo(json.dumps(document_of(listed, rules, now)) if as_json else line_of(listed, rules, now))
            count += 1
            if count == limit:
                return


def document_of(listed: Listed, rules: RuleSet, now: float) -> dict[str, Any]:
    """What `--json` prints of a stored response: times in Unix seconds, sizes in bytes."""
    entry = listed.entry
    facts = facts_of(entry, rules.options(entry.request))
    return {
        "url": listed.key,
        "status": entry.response.status,
        "type": None if (media := media_type(listed)) == "-" else media,
        "age_s": facts.age(now),
        "fresh_for_s": facts.ttl(now),
        "use": use_of(listed, rules.options, now).value,
        "size": listed.size,
        "body_bytes": entry.body_length,
        "stored_at": entry.response_time,
        "used_at": listed.used or None,
        "varies_by": [name.decode("latin-1") for name in vary.varied_names(entry.response)],
        "tags": sorted(tag.decode("latin-1") for tag in tags_of(entry.response)),
        "digest": None if listed.digest is None else f"{NAME}:{listed.digest.hex()}",
        "id": entry.id,
    }


def line_of(listed: Listed, rules: RuleSet, now: float) -> str:
    """A stored response in a line for people."""
    facts = facts_of(listed.entry, rules.options(listed.entry.request))
    use, ttl = use_of(listed, rules.options, now), facts.ttl(now)
    if use is Use.FRESH:
        fresh = human_seconds(ttl)
    else:
        fresh = "asks each time" if ttl > 0 else f"stale {human_seconds(-ttl)}"
    return _line(
        human_seconds(facts.age(now)),
        click.style(f"{fresh:>18}", fg=_COLORS[use.value]),
        size=listed.size,
        status=listed.entry.response.status,
        media=media_type(listed),
        url=listed.key,
    )


def _remote_document(document: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The same members as `document_of`; null is what the proxy does not tell."""
    media, digest = _remote_media(document), document["digest"]
    return {
        "url": document["url"],
        "status": document["status"],
        "type": None if media == "-" else media,
        "age_s": _remote_age(document, now),
        "fresh_for_s": None,
        "use": None,
        "size": document["size"],
        "body_bytes": document["body_length"],
        "stored_at": document["stored_at"],
        "used_at": document["used_at"],
        "varies_by": document["varies_by"],
        "tags": document["tags"],
        "digest": None if digest is None else f"{NAME}:{digest}",
        "id": None,
    }


def _remote_age(document: Mapping[str, Any], now: float) -> int:
    return max(0, int(now - document["stored_at"]))


def _remote_media(document: Mapping[str, Any]) -> str:
    return str(document["content_type"] or "-").partition(";")[0].strip().lower() or "-"


def _remote_line(document: Mapping[str, Any], now: float) -> str:
    return _line(
        human_seconds(_remote_age(document, now)),
        f"{'-':>18}",
        size=document["size"],
        status=document["status"],
        media=_remote_media(document),
        url=document["url"],
    )


def _line(age: str, fresh: str, *, size: int, status: int, media: str, url: str) -> str:
    return (
        f"{age:>12}  {fresh}  {human_bytes(size):>9}  {status:3}  "
        f"{printable(media)[:_WIDTH_OF_TYPE]:{_WIDTH_OF_TYPE}}  {printable(url)}"
    )
