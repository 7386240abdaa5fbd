"""`sluicegate status`: what a running proxy is doing, from its admin server."""

import json
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sluicegate.cli.output import console, print_json
from sluicegate.config.leaf import Unacceptable
from sluicegate.config.values import Address, parse_address
from sluicegate.core.text import human_bytes, human_seconds, printable

_TIMEOUT_S = 5.0
_MEMBERS = ("version", "listen", "uptime_s", "totals", "limits", "cache", "upstream", "config", "workers")


class Unreachable(click.ClickException):
    """Nothing of ours answers there. Exit code 1."""


EXAMPLES = """\b
Examples:
  sluicegate status
  sluicegate status --watch --admin 127.0.0.1:9091
  sluicegate status --json | jq .requests
"""


@click.command(short_help="Show what a running proxy is doing.", epilog=EXAMPLES)
@click.option(
    "--admin",
    metavar="ADDRESS",
    envvar="SLUICEGATE_ADMIN",
    default="127.0.0.1:9090",
    show_default=True,
    help="The proxy's admin address.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the admin server's JSON.")
@click.option("--watch", is_flag=True, help="Again and again, until Ctrl-C.")
@click.option(
    "--interval", type=click.FloatRange(min=0.1), default=1.0, show_default=True, help="Seconds, for --watch."
)
def command(*, admin: str, as_json: bool, watch: bool, interval: float) -> None:
    """Show what a running proxy is doing: requests, hits, waits, and who waits for which limit.

    Exit code 1 when no proxy answers on the admin address.
    """
    try:
        address = parse_address(admin)
    except Unacceptable as error:
        raise click.BadParameter(f"{admin!r} {error}", param_hint="--admin") from None
    if watch:
        _watch(address, interval, as_json=as_json)
    elif as_json:
        print_json(fetch(address))
    else:
        console().print(report(fetch(address)))


def fetch(address: Address) -> dict[str, Any]:
    """The status document of the proxy whose admin server has this address. No proxy variable is heeded."""
    connection = HTTPConnection(address.host, address.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/api/status")
        response = connection.getresponse()
        status, body = response.status, response.read()
    except HTTPException as error:
        raise Unreachable(f"What listens on {address} is no Sluicegate admin server ({error!r}).") from None
    except OSError as error:
        raise Unreachable(
            f"No proxy answers on {address}: {error.strerror or error}.\n"
            "Start one with `sluicegate serve`, or name its admin address with --admin or SLUICEGATE_ADMIN."
        ) from None
    finally:
        connection.close()
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or any(member not in document for member in _MEMBERS):
        raise Unreachable(f"What listens on {address} is no Sluicegate admin server (it answered with {status}).")
    return document


def report(status: Mapping[str, Any]) -> RenderableType:
    """The document for people."""
    totals, cache, upstream = status["totals"], status["cache"], status["upstream"]
    hits = f" ({100 * totals['hits'] / totals['requests']:.1f} %)" if totals["requests"] else ""
    facts = [
        ("Proxy", f"{status['version']} on {status['listen']}, process {status['pid']}{_workers(status)}"),
        ("Up", human_seconds(status["uptime_s"]) + ("" if status["ready"] else ", not ready")),
        ("Configuration", str(status["config"]["file"] or "embedded defaults")),
        ("Requests", f"{totals['requests']}, {totals['errors']} with an error"),
        ("Hits", f"{totals['hits']}{hits}, {totals['revalidated']} revalidated"),
        ("From the cache", f"{human_bytes(totals['bytes_from_cache'])} of {human_bytes(totals['bytes_sent'])}"),
        ("Limits", f"{totals['permits']} permits, {totals['rejected']} refused, {totals['abandoned']} gave up waiting"),
        ("Waited", human_seconds(totals["wait_s"])),
        ("Upstream", f"{totals['upstream_requests']} requests, {totals['upstream_failures']} failed"),
        ("Connections", f"{upstream['open']} open, {upstream['idle']} idle"),
        (
            "Cache",
            f"{cache['entries']} {'entry' if cache['entries'] == 1 else 'entries'}, {human_bytes(cache['bytes'])}",
        ),
    ]
    grid = Table.grid(padding=(0, 2))
    for name, value in facts:
        grid.add_row(Text(name, style="bold"), Text(printable(value)))
    return Group(grid, "", _limits(status["limits"])) if status["limits"] else grid


def _workers(status: Mapping[str, Any]) -> str:
    """How many processes serve, where they are not one."""
    workers = status["workers"]
    serving = sum(worker["responding"] for worker in workers)
    missing = "" if serving == len(workers) else f", {len(workers) - serving} of them not answering"
    return f" with {len(workers)} workers{missing}" if workers else ""


def _limits(limits: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("Host", "Limit", "Rates"):
        table.add_column(name)
    for name in ("Waiting", "In flight"):
        table.add_column(name, justify="right")
    for limit in limits:
        table.add_row(*(Text(printable(str(limit[name]))) for name in ("key", "limit", "rates", "queue", "in_flight")))
    return table


def _watch(address: Address, interval: float, *, as_json: bool) -> None:
    screen = console()
    try:
        if as_json or not screen.is_terminal:
            while True:
                status = fetch(address)
                click.echo(json.dumps(status)) if as_json else screen.print(report(status), "")
                time.sleep(interval)
        with Live(report(fetch(address)), console=screen, auto_refresh=False) as live:
            while True:
                time.sleep(interval)
                live.update(report(fetch(address)), refresh=True)
    except KeyboardInterrupt:
        return
