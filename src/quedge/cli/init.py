"""`quedge init`: a scenario file to start from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from quedge.cli.options import parse_path
from quedge.cli.usage import UsageError
from quedge.files.atomic import whole_file
from quedge.files.scenario import commented_template


def init(
    file: Annotated[
        Path, typer.Argument(parser=parse_path, metavar="[FILE]", help="Where to write it; '-' for standard output.")
    ] = Path("scenario.toml"),
) -> None:
    """Write a commented scenario file with every key, its unit and default."""
    if str(file) == "-":
        print(commented_template(), end="")
        return
    if os.path.lexists(file):
        raise UsageError(f"{file}: exists already; choose another name")
    if not os.path.isdir(file.parent):
        raise UsageError(f"{file}: no such folder: {file.parent}")
    try:
        with whole_file(file) as opened:
            opened.write(commented_template().encode())
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from None
    print(f"Written to {file}.")
