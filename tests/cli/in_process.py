"""The command line in the tests' own process, for commands that end at once: no interpreter starts for each of them."""

from __future__ import annotations

import contextlib
import io
import subprocess
import warnings
from pathlib import Path

from quedge.cli import main


def main_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command prints and how it ends where it is run in a folder; a warning is an error, as with `-W error`."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(action="error"),
    ):
        status = main(arguments)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())
