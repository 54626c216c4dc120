"""Recordings with one array of shape (frames, devices) per quantity: NumPy archives and MATLAB files."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.errors import check_installed
from quedge.simulation.recordings.axes import Axis
from quedge.simulation.recordings.layout import Layout
from quedge.simulation.recordings.values import Table, checked_values, first_line, listed

_LYDROO = {"channel_gain": "input_h", "arrival_mbit": "data_arrival"}
_MANY = 20  # devices, from which on more of them than frames are worth a word


def _names(found: Sequence[str], layout: Layout, wanted: Sequence[str], others: Mapping[str, str]) -> dict[str, str]:
    """The wanted variables' names among those of a file: as the layout says, quedge's, or others."""
    names = {}
    for column in wanted:
        own = layout.name(column, found)
        names[column] = others.get(column, own) if own not in found and column not in layout.columns else own
    return names


def checked_matrices(path: Path, variables: Mapping[str, Any], names: Mapping[str, str], layout: Layout) -> Table:
    """The variables of a file, by `names` of them by those of `RANGES`, as a recording.

    Raises:
        ValueError: one is no matrix of real numbers, the shapes differ, or a value is not allowed.
    """
    dimensions = {"channel_gain": (2, 3), "arrival_mbit": (2,)}  # gains may differ between sub-channels
    arrays = {
        column: _matrix(path, name, variables[name], dimensions[column])
        for column, name in names.items()
        if name in variables
    }
    if len(arrays) == 2 and arrays["channel_gain"].shape[:2] != arrays["arrival_mbit"].shape:
        one, other = names["channel_gain"], names["arrival_mbit"]
        raise ValueError(
            f"{path}: {other}: shape {arrays['arrival_mbit'].shape} is not allowed; "
            f"{one} has {arrays['channel_gain'].shape}"
        )
    frames, devices, *_ = next(iter(arrays.values())).shape
    table = Table(Axis(0, frames), Axis(0, devices))
    for column, array in arrays.items():
        blank = np.isnan(array)
        fills = layout.absent != "refused" or (column == "arrival_mbit" and layout.arrivals == "sparse")
        if fills and blank.any():
            array = np.where(blank, layout.no_gain if column == "channel_gain" else 0.0, array)
            table.away = blank if column == "channel_gain" else table.away
        axes = table.frames, table.devices
        parts = [array] if array.ndim == 2 else list(np.moveaxis(array, 2, 0))
        checked = [checked_values(str(path), names[column], column, part, axes, layout) for part in parts]
        table[column] = checked[0] if array.ndim == 2 else np.ascontiguousarray(np.stack(checked, axis=2))
    if table.away is not None and table.away.ndim > 2:
        table.away = np.asarray(table.away.all(axis=2))
    if devices > max(frames, _MANY):
        warnings.warn(
            f"{path}: {devices} devices and {frames} frames: if these are {frames} devices and {devices} frames, the "
            "matrices must be transposed, to one row per frame",
            stacklevel=2,
        )
    return table


def _matrix(path: Path, name: str, array: Any, dimensions: Sequence[int]) -> NDArray[np.float64]:
    kind = array.dtype.kind if isinstance(array, np.ndarray) else "O"
    if kind == "c":
        raise ValueError(
            f"{path}: {name}: complex numbers are not allowed; a power gain is the squared magnitude of the "
            f"channel coefficient, abs({name}).^2"
        )
    if kind not in "iuf" or array.ndim not in dimensions or array.size == 0:
        raise ValueError(f"{path}: {name}: must be a matrix of real numbers, one row per frame")
    return np.ascontiguousarray(array, dtype=np.float64)


def _refuse_none(path: Path, names: Mapping[str, str], found: Sequence[str]) -> None:
    """Refuse a file that has none of the wanted variables."""
    if not set(names.values()) & set(found):
        needed = " or ".join(
            dict.fromkeys(name if name == column else f"{name} ({column})" for column, name in names.items())
        )
        column = next(iter(names))
        raise ValueError(
            f"{path}: {needed}: no such variable; the variables are {listed(found)}; "
            f"{column}=VARIABLE tells which one it is"
        )


def read_npz(path: Path, wanted: Sequence[str], layout: Layout) -> Table:
    """Read a NumPy archive; see `read_recording`."""
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: cannot be read as a NumPy archive: it is no ZIP file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = list(archive.files)
            names = _names(found, layout, wanted, {})
            variables = {name: archive[name] for name in names.values() if name in found}
    except MemoryError:
        raise
    except Exception as error:  # damaged files may raise anything
        raise ValueError(f"{path}: cannot be read as a NumPy archive: {first_line(error)}") from None
    _refuse_none(path, names, found)
    return checked_matrices(path, variables, names, layout)


def read_matlab(path: Path, wanted: Sequence[str], layout: Layout) -> Table:
    """Read a MATLAB file; see `read_recording`."""
    with path.open("rb") as file:
        is_hdf5 = file.read(10) == b"MATLAB 7.3"
    read = _hdf5_variables if is_hdf5 else _matlab_variables
    if is_hdf5:
        what = f"reading {path.name}, of MATLAB's version 7.3 (save -v7 writes one that does not need it),"
        check_installed("h5py", what, "h5py", "matlab")
    else:
        check_installed("scipy", f"reading {path.name}", "SciPy", "matlab")
    try:
        found, names, variables = read(path, wanted, layout)
    except Exception as error:  # damaged files may raise anything
        raise ValueError(f"{path}: cannot be read as a MATLAB file: {first_line(error)}") from None
    _refuse_none(path, names, found)
    return checked_matrices(path, variables, names, layout)


_Read = tuple[list[str], dict[str, str], dict[str, Any]]
"""All names of a file, those of the wanted variables, and these."""


def _matlab_variables(path: Path, wanted: Sequence[str], layout: Layout) -> _Read:
    from scipy.io import loadmat, whosmat

    found = [name for name, *_ in whosmat(path)]
    names = _names(found, layout, wanted, _LYDROO)
    return found, names, loadmat(path, variable_names=list(names.values()))


def _hdf5_variables(path: Path, wanted: Sequence[str], layout: Layout) -> _Read:
    import h5py

    with h5py.File(path) as file:
        found = [name for name in file if not name.startswith("#")]
        names = _names(found, layout, wanted, _LYDROO)
        read = {name: np.asarray(file[name]) for name in names.values() if name in found}
    return found, names, {name: _matrix_of_hdf5(array) for name, array in read.items()}


def _matrix_of_hdf5(array: NDArray[Any]) -> NDArray[Any]:
    """A matrix as MATLAB shows it: its file has columns as rows, and complex numbers as pairs."""
    if array.dtype.names == ("real", "imag"):
        array = array["real"] + 1j * array["imag"]
    return array.T
