"""`sluicegate cache`: looking after what is stored."""

import click

from sluicegate.cli.lazy_group import LazyGroup

COMMANDS = {
    "ls": "List what is stored.",
    "show": "Show all that is stored for a URL.",
    "stats": "Sum up what there is, by host, status and freshness.",
    "verify": "Read every body and compare it with its digest.",
    "purge": "Remove what is stored.",
    "export": "Write stored responses to files, a WARC or standard output.",
    "warm": "Fetch URLs into the cache, through the limiter.",
}
"""Each command's one-line help; its module is `sluicegate.cli.cache.<name>` and its click object there is `command`."""


class CacheCommands(LazyGroup):
    """The commands of `sluicegate cache`."""

    module_prefix = "sluicegate.cli.cache."
    commands_help = COMMANDS


@click.command(cls=CacheCommands, short_help="Look after what is stored.")
def command() -> None:
    """Look after what is stored, while the proxy runs or while it does not.

    The store is the one that the configuration names (--config, --state-dir, or where the proxy itself would look).
    """
