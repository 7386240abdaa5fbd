"""How commands print: rich on a terminal, plain lines elsewhere, JSON where asked for."""

import json
import sys
from typing import Any

import click
from rich.console import Console

PIPE_WIDTH = 10_000
"""Wide enough that no table folds where a program or a pager reads it."""


def console() -> Console:
    """Standard output; colours only on a terminal and not with NO_COLOR, no wrapping in a pipe."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
