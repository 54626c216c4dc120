"""Recordings with a row a frame and device, in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quedge.simulation.recordings.values import RANGES, Values, listed, refuse_bad_values

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]


def recorded_columns(path: Path, found: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Which of the wanted columns a file holds, at least one.

    Args:
        path: the file.
        found: names of all columns of the file.
        wanted: names of columns.

    Raises:
        ValueError: there is none of them, no `frame` or `device`, or two of a name.
    """
    for name in ("frame", "device", *wanted):
        if found.count(name) > 1:
            raise ValueError(f"{path}: {name}: more than one column has this name")
    for name in ("frame", "device"):
        if name not in found:
            raise ValueError(f"{path}: {name}: no such column; the columns are {listed(found)}")
    recorded = [name for name in wanted if name in found]
    if not recorded:
        raise ValueError(f"{path}: {' or '.join(wanted)}: no such column; the columns are {listed(found)}")
    return recorded


def placed(path: Path, frame: Integers, device: Integers, recorded: Mapping[str, Numbers]) -> Values:
    """Columns with a row a frame and device as arrays of shape (frames, devices).

    Args:
        path: the file.
        frame: number of each row's frame, 0 or more, shape (rows,).
        device: number of its device.
        recorded: what is recorded by the names of `RANGES`; blanks are NaN.

    Raises:
        ValueError: a gap, a row that is missing or there twice, or a value that is not allowed.
    """
    order, frames, devices = _order(path, frame, device)
    values: Values = dict.fromkeys(RANGES)
    for name, column in recorded.items():
        array = column[order].reshape(frames, devices)
        refuse_bad_values(path, name, name, array, int(frame.min()), int(device.min()))
        values[name] = array
    return values


def _order(path: Path, frame: Integers, device: Integers) -> tuple[NDArray[np.intp], int, int]:
    """Row numbers by frame, then device, and the numbers of both; refuses gaps and duplicates."""
    first = {}
    count = {}
    for name, column in (("frame", frame), ("device", device)):
        present = np.unique(column)
        gap = np.flatnonzero(np.diff(present) != 1)
        if gap.size:
            before, after = present[gap[0]], present[gap[0] + 1]
            raise ValueError(f"{path}: {name}: a gap after {before} is not allowed; the next one there is {after}")
        first[name], count[name] = int(present[0]), present.size
    devices = count["device"]
    place = (frame - first["frame"]) * devices + (device - first["device"])
    order = np.argsort(place, kind="stable")
    place = place[order]

    def where(index: int) -> str:
        return f"frame {first['frame'] + index // devices}, device {first['device'] + index % devices}"

    twice = np.flatnonzero(np.diff(place) == 0)
    if twice.size:
        raise ValueError(f"{path}: {where(int(place[twice[0]]))}: two rows are not allowed; there must be one")
    missing = np.flatnonzero(place != np.arange(place.size))
    if missing.size or place.size < count["frame"] * devices:
        index = int(missing[0]) if missing.size else place.size
        raise ValueError(f"{path}: {where(index)}: no row; there must be one a frame and device")
    return order, count["frame"], devices
