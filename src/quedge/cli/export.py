"""`quedge export`: a trained agent's network as an ONNX model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quedge.cli.options import parse_path
from quedge.cli.usage import refusing
from quedge.files.agent import read_agent
from quedge.files.atomic import check_folder_takes_files
from quedge.files.exported import SUFFIX, write_exported


def export_agent(
    agent: Annotated[Path, typer.Argument(metavar="AGENT", help="A trained agent, as `quedge train` keeps it.")],
    out: Annotated[Path, typer.Argument(parser=parse_path, metavar="FILE", help="The ONNX model to write (.onnx).")],
) -> None:
    """Export a trained agent's network as an ONNX model; `quedge run --agent FILE` runs it in ONNX Runtime."""
    with refusing():
        if out.suffix != SUFFIX:
            raise ValueError(f"FILE: {out}: is not allowed; its name must end in {SUFFIX}")
        if out.is_dir():
            raise ValueError(f"FILE: {out}: is a folder; it must be a file name")
        file = read_agent(agent)
        check_folder_takes_files(out.parent)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_exported(out, file)
    print(f"Written to {out}: the actor of {file.config.policy}, trained with {file.state.devices} devices.")
