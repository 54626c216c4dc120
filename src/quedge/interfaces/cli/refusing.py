"""How the command line refuses what it was given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer


class UsageError(Exception):
    """The user gave something that is not allowed; the message is for them, on one line."""


@contextmanager
def refusing(option: str = "") -> Iterator[None]:
    """Turn a ValueError about something that the user gave into a UsageError.

    It wraps only the reading and checking of what was given, so that a mistake of ours keeps its traceback.

    Args:
        option: what the message starts with, where the ValueError cannot know it.
    """
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{option}: {error}" if option else str(error)) from None


def place_of(text: str) -> Path:
    """Where to write; an empty text, from an unset shell variable say, is not the current folder."""
    if not text:
        raise typer.BadParameter("'' is not allowed; it must be a name.")
    return Path(text)
