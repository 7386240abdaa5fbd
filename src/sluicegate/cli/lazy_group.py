"""A group of commands whose modules are imported when a command is used, not for `--help`."""

import importlib
from collections.abc import Mapping
from typing import override

import click


class LazyGroup(click.Group):
    """Each command in `commands_help` has one line of help; its click object is `command` in the module of its name.

    The module's name begins with `module_prefix`.
    """

    module_prefix = "sluicegate.cli."
    commands_help: Mapping[str, str] = {}

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands_help)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands_help:
            return None
        command = importlib.import_module(f"{self.module_prefix}{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.commands_help.items()))
