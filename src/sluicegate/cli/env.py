"""`sluicegate env`: the variables that send a shell's programs through a running proxy."""

import os
import socket
import sys
from pathlib import Path
from typing import Any

import click

from sluicegate.cli.client_options import client_options, config_options
from sluicegate.cli.options import collect
from sluicegate.clients.environment import environment
from sluicegate.clients.proxies import client_address
from sluicegate.clients.shells import Format, detect_format, named_files, render, usage
from sluicegate.config.values import Address
from sluicegate.proxy.authority import ensure_authority

_PROBE_TIMEOUT_S = 1.0


EXAMPLES = """\b
Examples:
  eval "$(sluicegate env)"                          sh, bash, zsh
  sluicegate env | source                           fish
  sluicegate env | Out-String | Invoke-Expression   PowerShell
  sluicegate env --format github >> "$GITHUB_ENV"   GitHub Actions
  sluicegate env --format docker > proxy.env        docker run --env-file
"""


@click.command(epilog=EXAMPLES)
@config_options("--listen", "--state-dir")
@client_options
@click.option(
    "--format", "form", type=click.Choice([form.value for form in Format]), help="For whom; the default is $SHELL."
)
@click.pass_context
def command(ctx: click.Context, /, *, form: str | None, **parameters: Any) -> None:
    """Print the variables that send a shell's programs through a running proxy.

    The proxy is the one of the configuration, or of --listen; variables that are already set are taken into account,
    but for docker, where they are not the container's.
    """
    settings = collect(parameters).settings
    authority = ensure_authority(settings.state_dir)
    chosen = Format(form) if form else detect_format(os.environ)
    address = client_address(settings.listen.host)
    variables = environment(
        f"http://{Address(address, settings.listen.port)}",
        authority,
        {} if chosen is Format.DOCKER else os.environ,
        proxy_loopback=parameters["proxy_loopback"],
        bypass=parameters["bypass"],
        java=parameters["java"],
        cwd=Path.cwd(),
    )
    click.echo(render(variables, chosen), nl=False)
    if chosen is Format.DOCKER or sys.stdout.isatty():
        click.echo(
            f"# To use it: {usage(chosen, named_files(variables, authority.confdir), command=ctx.command_path)}",
            err=True,
        )
    if not _listens(address, settings.listen.port):
        click.echo(
            f"# Nothing listens on {Address(address, settings.listen.port)} yet: start it with `sluicegate serve`.",
            err=True,
        )


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_PROBE_TIMEOUT_S):
            return True
    except OSError:
        return False
