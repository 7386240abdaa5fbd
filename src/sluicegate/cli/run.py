"""`sluicegate run -- CMD…`: one command, with a proxy of its own around it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from sluicegate.cli.client_options import client_options
from sluicegate.cli.foreground import Interrupted, ending_signals_raise, explain_start_failure, run_in_foreground
from sluicegate.cli.options import arguments, collect, proxy_options
from sluicegate.cli.proxy_process import ProxyProcess, proxy_process
from sluicegate.clients.environment import environment
from sluicegate.clients.hints import hint_for
from sluicegate.clients.proxies import PROXY_NAMES, client_address
from sluicegate.config.models import Settings
from sluicegate.config.values import Address, parse_address
from sluicegate.proxy.authority import ensure_authority

NOTHING_ARRIVED = (
    "no request arrived at the proxy. Programs go round it for hosts in NO_PROXY and for loopback addresses (see "
    "--proxy-loopback; go, Java and Chromium do so whatever is set), and some read no proxy variable at all: "
    "see docs/clients.md"
)


EXAMPLES = """\b
Examples:
  sluicegate run -- pip download numpy
  sluicegate run --rate-host 'api.example.com=5/second' -- python crawl.py
"""


@click.command(context_settings={"allow_interspersed_args": False}, epilog=EXAMPLES)
@proxy_options
@client_options
@click.option("--quiet", "-q", is_flag=True, help="No summary, no hints.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] CMD...")
@click.pass_context
def command(ctx: click.Context, /, *, words: tuple[str, ...], quiet: bool, **parameters: Any) -> None:
    """Run CMD with all its downloads going through a proxy of its own.

    The proxy listens on a free port and shares limits and cache with every other proxy on the same state directory.
    CMD gets the variables that make its programs use the proxy and trust its CA; what it prints, the signals it gets
    and its exit code are its own. The proxy's log goes to run.log in the state directory.

    Programs go round the proxy for loopback addresses unless --proxy-loopback is given; go, Java and Chromium always.
    """
    settings = collect(parameters).settings
    with ending_signals_raise():
        try:
            ctx.exit(_run(words, parameters, settings, quiet=quiet))
        except Interrupted as interruption:
            ctx.exit(interruption.exit_code)


def _run(words: Sequence[str], parameters: Mapping[str, Any], settings: Settings, *, quiet: bool) -> int:
    authority = ensure_authority(settings.state_dir)
    log = settings.log.file or settings.state_dir / "run.log"
    with proxy_process(_serve_arguments(parameters, log), drain_s=settings.drain_timeout + 1) as proxy:
        listen = parse_address(proxy.listen)
        client = environment(
            f"http://{Address(client_address(listen.host), listen.port)}",
            authority,
            os.environ,
            proxy_loopback=parameters["proxy_loopback"],
            bypass=parameters["bypass"],
            java=parameters["java"],
        )
        if not quiet:
            _say(_ignored_parent(os.environ, settings), hint_for(words, authority))
        try:
            code = run_in_foreground(words, {**os.environ, **client})
        except OSError as error:
            message, code = explain_start_failure(words, error)
            _say(message)
        else:
            _say(_outcome(proxy, log, quiet=quiet))
    return code


def _serve_arguments(parameters: Mapping[str, Any], log: Path) -> list[str]:
    """The same options for `serve`, on free ports unless an address was asked for, its log off the terminal."""
    listen, admin = (parameters[name] or "127.0.0.1:0" for name in ("listen", "admin"))
    return arguments({**parameters, "listen": listen, "admin": admin, "log_file": str(log)})


def _say(*messages: str | None) -> None:
    for message in filter(None, messages):
        click.echo(f"sluicegate: {message}", err=True)


def _ignored_parent(base: Mapping[str, str], settings: Settings) -> str | None:
    """A proxy that the environment named so far is not asked any more: said, since the network may need it."""
    names = [form for name in PROXY_NAMES for form in (name, name.upper())]
    named = next((base[name] for name in names if base.get(name)), None)
    if named is None or settings.upstream_proxy is not None:
        return None
    host = urlsplit(named if "://" in named else f"//{named}").hostname
    return f"the proxy named by the environment ({host}) is not used; to go through it, set upstream_proxy"


def _outcome(proxy: ProxyProcess, log: Path, *, quiet: bool) -> str | None:
    totals = proxy.totals()
    if totals is not None:
        return None if quiet else summary(totals)
    failure = proxy.failure() if proxy.admin else None
    return f"{failure}\nThe log is in {log}" if failure else None


def summary(totals: Mapping[str, Any]) -> str:
    """One line about what the proxy did, from the `totals` of /api/status."""
    requests = int(totals.get("requests", 0))
    if requests == 0:
        return NOTHING_ARRIVED
    parts = [
        f"{requests} request{'s' * (requests != 1)}",
        f"{totals.get('hits', 0)} from the cache ({_size(totals.get('bytes_from_cache', 0))} saved)",
        f"{totals.get('upstream_requests', 0)} sent to origins",
        f"waited {float(totals.get('wait_s', 0)):.1f} s for limits",
    ]
    if rejected := totals.get("rejected", 0):
        parts.append(f"{rejected} rejected by limits")
    return ", ".join(parts)


def _size(count: float) -> str:
    """Bytes for people, in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004 - what the units mean
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
