"""`sluicegate password`: what `access.users` holds instead of a password."""

import sys

import click

from sluicegate.config.passwords import hash_password
from sluicegate.errors import StartError


@click.command(short_help="Turn a password into a line for access.users.")
@click.argument("name")
def command(*, name: str) -> None:
    """Ask for a password, or read it from standard input, and print NAME's line for `access.users`."""
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password or not name or ":" in name:
        raise StartError("A user needs a name without a colon, and a password.")
    click.echo(f'"{name}": "{hash_password(password)}"')
