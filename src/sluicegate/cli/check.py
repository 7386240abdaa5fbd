"""`sluicegate check`: is the configuration good, and what does it mean?"""

from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import click
from rich.markup import escape
from rich.table import Table

from sluicegate.cli.options import collect, proxy_options
from sluicegate.cli.output import console, print_json
from sluicegate.config.advice import Advice, advise
from sluicegate.config.compile import cache_rules, default_limit, host_limits, interception, limit_table
from sluicegate.config.load import Loaded
from sluicegate.config.models import Settings
from sluicegate.config.quantities import show_duration, show_rates, show_size
from sluicegate.config.values import host_name
from sluicegate.core.caching.rules.wording import effects, matched
from sluicegate.core.http import Origin, RequestHead
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.rates import format_rates
from sluicegate.core.limits.window import algorithm, explain
from sluicegate.errors import ConfigError
from sluicegate.workers.count import worker_count


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the configuration says about one URL."""

    url: str
    limit: Limit
    key: str
    tunnelled: bool | None
    """None for plain http."""
    rule: int | None
    """Which of `cache.rules` counts, from 0."""


EXAMPLES = """\b
Examples:
  sluicegate check --config sluicegate.yaml
  sluicegate check --config sluicegate.yaml --url https://api.example.com/v1/items
"""


@click.command(short_help="Check a configuration and show the limits it means.", epilog=EXAMPLES)
@proxy_options
@click.option("--url", metavar="URL", help="Tell which limit this URL falls under, and what happens to its https.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, /, *, url: str | None, as_json: bool, **parameters: Any) -> None:
    """Check a configuration and show the limits it means.

    Exit code 0 if it is good, 2 with every problem if not.
    """
    try:
        loaded = collect({**parameters, "fallback_defaults": False})
    except ConfigError as error:
        if not as_json:
            raise
        print_json({"ok": False, "problems": [asdict(problem) for problem in error.problems]})
        ctx.exit(2)
    ruling = rule(loaded.settings, url) if url is not None else None
    if as_json:
        print_json(report(loaded, ruling))
    else:
        _show(loaded, ruling)


def rule(settings: Settings, url: str) -> Ruling:
    """What holds for a URL. Raises click.BadParameter for what is no http or https URL."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        host = host_name(parts.hostname or "")
    except ValueError:
        raise click.BadParameter(f"{url!r} is not a URL.", param_hint="--url") from None
    if parts.scheme not in ("http", "https"):
        raise click.BadParameter(f"{url!r} is neither http nor https.", param_hint="--url")
    limit, key = limit_table(settings).match(host)
    tunnelled = interception(settings).tunnels(host) if parts.scheme == "https" else None
    request = RequestHead("GET", Origin(parts.scheme, host, 0), parts.path or "/")
    return Ruling(url, limit, key, tunnelled, cache_rules(settings).match(request))


def report(loaded: Loaded, ruling: Ruling | None) -> dict[str, Any]:
    """What `--json` prints."""
    settings = loaded.settings
    limits = [*host_limits(settings).values(), default_limit(settings)]
    return {
        "ok": True,
        "file": None if loaded.file is None else str(loaded.file),
        "checksum": loaded.checksum,
        "limits": {limit.name: _plain(limit) for limit in limits},
        "cache_rules": [
            {"hosts": rule.hosts, "paths": rule.paths, "effects": effects(rule.overrides)}
            for rule in cache_rules(settings).rules
        ],
        "warnings": [asdict(advice) for advice in advise(settings)],
        "settings": settings.model_dump(mode="json", exclude={"access": {"users"}})
        | {"users": sorted(settings.access.users)},
    } | ({} if ruling is None else {"url": _plain_ruling(ruling)})


def _plain(limit: Limit) -> dict[str, Any]:
    return {
        "rates": show_rates(limit.rates),
        "concurrency": limit.concurrency,
        "max_wait_s": limit.max_wait_s,
        "max_queue": limit.max_queue,
        "burst": limit.burst,
        "algorithm": algorithm(limit),
        "explanation": explain(limit),
    }


def _plain_ruling(ruling: Ruling) -> dict[str, Any]:
    https = {None: None, True: "tunnel", False: "intercept"}[ruling.tunnelled]
    return (
        {"url": ruling.url, "limit": ruling.limit.name, "counted_for": ruling.key, "https": https}
        | {"cache_rule": ruling.rule}
        | _plain(ruling.limit)
    )


def _show(loaded: Loaded, ruling: Ruling | None) -> None:
    out = console()
    out.print("\n".join(escape(line) for line in _summary(loaded)))
    out.print()
    out.print(_table(loaded.settings))
    if told := _rules(loaded.settings):
        out.print()
        out.print("\n".join(map(escape, told)))
    for advice in advise(loaded.settings):
        out.print(_warning(advice))
    if ruling is not None:
        out.print()
        out.print("\n".join(escape(line) for line in _told(ruling)))


def _summary(loaded: Loaded) -> list[str]:
    settings = loaded.settings
    cache = settings.cache
    tunnel = f", but for {', '.join(settings.https.tunnel)}" if settings.https.tunnel else ""
    return [
        f"Good: {loaded.file if loaded.file is not None else 'the defaults'} (checksum {loaded.checksum}).",
        f"  listen     {settings.listen}, admin {settings.admin or 'off'}",
        f"  state      {settings.state_dir}",
        f"  workers    {worker_count(settings)}" + (" (auto)" if settings.workers == "auto" else ""),
        "  cache      "
        + ("off" if cache.mode == "off" else f"{cache.mode}, {cache.store}, {show_size(cache.max_size)}"),
        *(["  offline    no request leaves; what is stored is all there is"] if cache.offline else []),
        "  https      " + (f"intercepted{tunnel}" if settings.https.mode == "intercept" else "tunnelled"),
        f"  limits     {settings.limits.backend}, {settings.limits.max_inflight} requests in flight at most",
        *([f"  users      {', '.join(sorted(settings.access.users))}"] if settings.access.users else []),
    ]


def _table(settings: Settings) -> Table:
    table = Table("host", "rates", "concurrency", "max wait", "max queue", "kept by", box=None, pad_edge=False)
    for limit in (*host_limits(settings).values(), default_limit(settings)):
        table.add_row(
            escape(limit.name),
            escape(format_rates(limit.rates)),
            str(limit.concurrency),
            show_duration(limit.max_wait_s),
            str(limit.max_queue),
            algorithm(limit),
        )
    return table


def _rules(settings: Settings) -> list[str]:
    """The user's own cache rules, each with what it knowingly departs from."""
    rules = cache_rules(settings).rules
    lines = ["Cache rules of your own. The first that matches counts; what departs from an RFC says so:"]
    for index, rule in enumerate(rules):
        lines.append(f"  cache.rules[{index}]  {matched(rule)}")
        lines += [f"    {effect}" for effect in effects(rule.overrides)]
    return lines if rules else []


def _warning(advice: Advice) -> str:
    return f"[yellow]Warning:[/yellow] {escape(str(advice))}"


def _told(ruling: Ruling) -> list[str]:
    limit = ruling.limit
    fate = {None: "plain http", True: "tunnelled: not cached, one permit a connection", False: "intercepted"}
    return [
        f"{ruling.url}",
        f"  limit      {limit.name}: {format_rates(limit.rates)}, {limit.concurrency} at the same time",
        f"  counted    for {ruling.key}",
        f"  kept by    {explain(limit)}",
        f"  https      {fate[ruling.tunnelled]}",
        *([] if ruling.rule is None else [f"  cached     by cache.rules[{ruling.rule}]"]),
    ]
