"""The command line."""

from quedge.cli.command import main

__all__ = ["main"]
