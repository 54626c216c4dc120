"""Recordings as NumPy's archives of arrays, which hold numbers and no code."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quedge.simulation.recordings.matrices import checked_matrices
from quedge.simulation.recordings.values import RANGES, Values, first_line


def read_npz(path: Path, wanted: Sequence[str]) -> Values:
    """Read an archive with an array a quantity; see `read_recording`."""
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: cannot be read as a NumPy archive: it is no ZIP file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = archive.files
            variables = {name: archive[name] for name in wanted if name in found}
    except MemoryError:
        raise
    except Exception as error:  # damaged files make zipfile and numpy raise nearly anything
        raise ValueError(f"{path}: cannot be read as a NumPy archive: {first_line(error)}") from None
    return checked_matrices(path, variables, {name: name for name in RANGES}, found, wanted)
