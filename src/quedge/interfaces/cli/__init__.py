"""The command line."""

from quedge.interfaces.cli.command import main

__all__ = ["main"]
