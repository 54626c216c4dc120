"""What users give that is not allowed, and arguments whose value may be left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

LOCAL = "local"
"""Of `--ray`: this machine."""


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


def with_ray_address(arguments: Sequence[str]) -> list[str]:
    """Arguments in which `--ray` has a value: where no address follows, it means this machine."""
    given: list[str] = []
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=False):  # without any, "" stands alone
        given.append(argument)
        is_address = following in ("auto", LOCAL) or (":" in following and not following.startswith("-"))
        if argument == "--ray" and not is_address:
            given.append(LOCAL)
    return given
