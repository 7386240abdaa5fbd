"""The command line: one file a command. Knows click and rich, prints, exits; everything else calls down."""

from sluicegate.cli.main import main

__all__ = ["main"]
