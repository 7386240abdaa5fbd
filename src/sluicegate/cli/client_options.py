"""Options that `run`, `env` and `ca` share: where the proxy's state is, and how its clients see it."""

from collections.abc import Callable
from typing import Any

import click

from sluicegate.cli.options import FLAGS
from sluicegate.clients.proxies import bypass_entries

type Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def config_options(*names: str) -> Decorator:
    """Add `--config` and those of the proxy's flags that are named: enough to find a running proxy and its files."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for flag in FLAGS:
            if flag.name in names:
                command = flag.option()(command)
        return click.option("--config", "-c", metavar="FILE", help="The configuration file.")(command)

    return decorate


def client_options[F: Callable[..., Any]](command: F) -> F:
    """Add the options that shape a client's environment: `--proxy-loopback`, `--bypass`, `--java`."""
    for option in (
        click.option("--java", is_flag=True, help="Reach Java too (every JVM then prints a line on stderr)."),
        click.option(
            "--bypass", multiple=True, metavar="HOST", callback=_check_bypass, help="Go round the proxy for HOST."
        ),
        click.option("--proxy-loopback", is_flag=True, help="Send requests to loopback through the proxy as well."),
    ):
        command = option(command)
    return command


def _check_bypass(_ctx: click.Context, _parameter: click.Parameter, hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        try:
            bypass_entries(host)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    return hosts
