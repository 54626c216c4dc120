"""What the commands on a state have in common: their arguments, and how its errors are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from quedge.cli.options import parse_path
from quedge.cli.usage import UsageError
from quedge.controller.state import StateError

Folder = Annotated[
    Path, typer.Argument(parser=parse_path, metavar="DIR", help="The --state of a service, or a backup of one.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The base station.")]
Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="Base stations; without any, all that are there.")
]


@contextmanager
def refusing_states() -> Iterator[None]:
    """Turn what is wrong with a state into an error of use, on one line."""
    try:
        yield
    except StateError as error:
        raise UsageError(str(error)) from None
