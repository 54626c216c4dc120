"""`quedge init`: a scenario file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quedge.interfaces.cli.refusing import UsageError
from quedge.interfaces.scenario_file import commented_template
from quedge.interfaces.whole_file import whole_file


def init(
    file: Annotated[Path, typer.Argument(help="Where to write it; '-' for standard output.")] = Path("scenario.toml"),
) -> None:
    """Write a commented scenario file with every key, its unit and default."""
    if str(file) == "-":
        print(commented_template(), end="")
        return
    if file.exists():
        raise UsageError(f"{file}: exists already; choose another name")
    if not file.parent.is_dir():
        raise UsageError(f"{file}: no such folder: {file.parent}")
    with whole_file(file) as opened:
        opened.write(commented_template().encode())
    print(f"Written to {file}.")
