"""Recordings as LyDROO publishes them, in MATLAB's format, read by SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quedge.model.extras import check_installed
from quedge.simulation.recordings.matrices import checked_matrices
from quedge.simulation.recordings.values import Values, first_line

_NAMES = {"channel_gain": "input_h", "arrival_mbit": "data_arrival"}


def read_matlab(path: Path, wanted: Sequence[str]) -> Values:
    """Read a file with a matrix a quantity; see `read_recording`."""
    check_installed("scipy", f"reading {path.name}", "SciPy", "matlab")
    from scipy.io import loadmat, whosmat

    try:
        found = [name for name, *_ in whosmat(path)]
        variables = loadmat(path, variable_names=[_NAMES[column] for column in wanted])
    except Exception as error:  # damaged files make scipy raise nearly anything
        raise ValueError(f"{path}: cannot be read as a MATLAB file: {first_line(error)}") from None
    return checked_matrices(path, variables, _NAMES, found, wanted)
