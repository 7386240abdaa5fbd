"""`sluicegate cache`: a module for each of its commands, and what they share."""

from sluicegate.cli.cache.group import command

__all__ = ["command"]
