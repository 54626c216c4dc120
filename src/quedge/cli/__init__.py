"""The command line."""

from __future__ import annotations

import signal
from collections.abc import Sequence

__all__ = ["main"]

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, as `quedge.cli.command.main` does, interrupted or not.

    Args:
        arguments: what follows the command's name; without any, those of this process, whose last act it is: a Ctrl-C
            after it ends the process at once, whatever Python still has to do.
    """
    try:
        from quedge.cli import command

        return command.main(arguments)
    except KeyboardInterrupt:  # while libraries are loaded, or once more while the first one is answered
        return _INTERRUPTED
    finally:
        if arguments is None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
