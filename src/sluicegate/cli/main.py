"""`sluicegate`: the group of commands. A command's module is imported when the command is used, not for `--help`."""

from typing import Any, override

import click

from sluicegate.cli.lazy_group import LazyGroup
from sluicegate.errors import ConfigError, SluicegateError

USAGE_EXIT = 2
INTERRUPTED_EXIT = 130

COMMANDS = {
    "serve": "Start the proxy in the foreground.",
    "run": "Run a command with all its downloads going through a proxy of its own.",
    "check": "Check a configuration and show the limits it means.",
    "explain": "Tell what cache and limiter would do with a request, and why.",
    "cache": "Look after what is stored: ls, show, stats, verify, purge, export, warm.",
    "env": "Print the variables that send a shell's programs through the proxy.",
    "ca": "Show, export and check the proxy's certificate authority.",
    "status": "Show what a running proxy is doing.",
    "init": "Write a commented configuration file.",
    "schema": "Print the JSON Schema of the configuration file.",
    "password": "Turn a password into a line for access.users.",
}
"""Each command's one-line help; its module is `sluicegate.cli.<name>` and its click object there is `command`."""


class Commands(LazyGroup):
    """The commands of `sluicegate`."""

    commands_help = COMMANDS

    @override
    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of ours becomes its text on standard error and exit code 2, Ctrl-C exit code 130."""
        try:
            return super().invoke(ctx)
        except SluicegateError as error:
            click.echo(_told(error), err=True)
            ctx.exit(USAGE_EXIT)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED_EXIT)


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import version  # noqa: PLC0415 - costs as much as all the rest of --help

    click.echo(f"sluicegate {version('sluicegate')}")
    ctx.exit()


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`sluicegate COMMAND --help` tells more.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def group() -> None:
    """A proxy that makes any downloader polite: an HTTP cache above, exact rate limits below."""


def main() -> None:
    """Run the command line and exit: 0 good, 2 usage or configuration, 130 Ctrl-C; `run` gives the code of its command."""
    group(prog_name="sluicegate")


def _told(error: SluicegateError) -> str:
    if isinstance(error, ConfigError):
        count = len(error.problems)
        lines = [f"  {problem}" for problem in error.problems]
        return "\n".join([f"Error: {count} problem{'s' * (count != 1)} in the configuration:", *lines])
    return f"Error: {error}" + (f"\n{error.advice}" if error.advice else "")
