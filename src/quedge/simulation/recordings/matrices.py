"""Recordings with one array of shape (frames, devices) per quantity: NumPy archives and MATLAB files."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from quedge.errors import check_installed
from quedge.simulation.recordings.values import RANGES, Values, first_line, listed, refuse_bad_values


def checked_matrices(
    path: Path, variables: Mapping[str, Any], names: Mapping[str, str], found: Sequence[str], wanted: Sequence[str]
) -> Values:
    """The wanted variables of a file, of which `found` are all; `names` has their names in it by those of `RANGES`.

    Raises:
        ValueError: none is there, one is no matrix of real numbers, the shapes differ, or a value is not allowed.
    """
    values: Values = dict.fromkeys(RANGES)
    for column in wanted:
        variable = names[column]
        array = variables.get(variable)
        if array is None:
            continue
        numbers = isinstance(array, np.ndarray) and array.dtype.kind in "iuf"
        if not numbers or array.ndim != 2 or array.size == 0:
            raise ValueError(f"{path}: {variable}: must be a matrix of real numbers, one row per frame")
        checked = np.ascontiguousarray(array, dtype=np.float64)
        refuse_bad_values(path, variable, column, checked)
        values[column] = checked
    gain, arrival = values["channel_gain"], values["arrival_mbit"]
    if gain is None and arrival is None:
        needed = " or ".join(dict.fromkeys(_both(names[column], column) for column in wanted))
        raise ValueError(f"{path}: {needed}: no such variable; the variables are {listed(found)}")
    if gain is not None and arrival is not None and gain.shape != arrival.shape:
        one, other = names["channel_gain"], names["arrival_mbit"]
        raise ValueError(f"{path}: {other}: shape {arrival.shape} is not allowed; {one} has {gain.shape}")
    return values


def _both(variable: str, column: str) -> str:
    return variable if variable == column else f"{variable} ({column})"


def read_npz(path: Path, wanted: Sequence[str]) -> Values:
    """Read a NumPy archive; see `read_recording`."""
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: cannot be read as a NumPy archive: it is no ZIP file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = archive.files
            variables = {name: archive[name] for name in wanted if name in found}
    except MemoryError:
        raise
    except Exception as error:  # damaged files may raise anything
        raise ValueError(f"{path}: cannot be read as a NumPy archive: {first_line(error)}") from None
    return checked_matrices(path, variables, {name: name for name in RANGES}, found, wanted)


_NAMES = {"channel_gain": "input_h", "arrival_mbit": "data_arrival"}


def read_matlab(path: Path, wanted: Sequence[str]) -> Values:
    """Read a MATLAB file; see `read_recording`."""
    check_installed("scipy", f"reading {path.name}", "SciPy", "matlab")
    from scipy.io import loadmat, whosmat

    try:
        found = [name for name, *_ in whosmat(path)]
        variables = loadmat(path, variable_names=[_NAMES[column] for column in wanted])
    except Exception as error:  # damaged files may raise anything
        raise ValueError(f"{path}: cannot be read as a MATLAB file: {first_line(error)}") from None
    return checked_matrices(path, variables, _NAMES, found, wanted)
