"""`quedge report`: one page of what a folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quedge.experiments.report.page import write_report
from quedge.interfaces.cli.refusing import UsageError, place_of, refusing


def report(
    folder: Annotated[Path, typer.Argument(parser=place_of, metavar="DIR", help="Where experiments were written.")],
) -> None:
    """Write report.html, one self-contained page with all figures and tables that a folder holds."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: is not allowed; it must be a folder")
    with refusing():
        path = write_report(folder)
    print(f"Written to {path}.")
