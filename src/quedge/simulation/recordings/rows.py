"""Recordings with one row per frame and device, in any order, once they are read into columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from quedge.simulation.recordings.values import RANGES, Values, listed, refuse_bad_values

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]


def recorded_columns(path: Path, found: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The wanted columns among those that a file holds, at least one.

    Raises:
        ValueError: none is there, `frame` or `device` is missing, or a name is there twice.
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
    """Columns with one row per frame and device, as arrays of shape (frames, devices); blanks are NaN.

    Rows by frame, then device, stay where they are; others are put in their places, without sorting. Numbers of frames
    and devices are 0 or more; the columns have the names of `RANGES`.

    Raises:
        ValueError: no rows, a gap, a missing or duplicate row, or a value that is not allowed.
    """
    if frame.size == 0:
        raise ValueError(f"{path}: holds no rows; one row per frame and device is needed")
    first_frame, first_device = int(frame.min()), int(device.min())
    shape = int(frame.max()) - first_frame + 1, int(device.max()) - first_device + 1
    if shape[0] * shape[1] != frame.size:
        _refuse_incomplete(path, frame, device)
    place = None
    if not _in_order(frame, device, shape):
        place = (frame - first_frame) * shape[1] + (device - first_device)
        filled = np.zeros(frame.size, dtype=np.bool_)
        filled[place] = True
        if not filled.all():
            _refuse_incomplete(path, frame, device)
    values: Values = dict.fromkeys(RANGES)
    for name, column in recorded.items():
        if place is None:
            array = np.require(column, requirements="W")
        else:
            array = np.empty(column.size)
            array[place] = column
        values[name] = array.reshape(shape)
        refuse_bad_values(path, name, name, array.reshape(shape), first_frame, first_device)
    return values


def _in_order(frame: Integers, device: Integers, shape: tuple[int, int]) -> bool:
    """Whether the rows, as many as the table has places, come by frame, then device."""
    by_frame = frame.reshape(shape) == frame.min() + np.arange(shape[0])[:, np.newaxis]
    by_device = device.reshape(shape) == device.min() + np.arange(shape[1])
    return bool(by_frame.all() and by_device.all())


def _refuse_incomplete(path: Path, frame: Integers, device: Integers) -> NoReturn:
    """Name the first gap, duplicate or missing row of a table that has one."""
    first, count = {}, {}
    for name, column in (("frame", frame), ("device", device)):
        present = np.unique(column)
        gap = np.flatnonzero(np.diff(present) != 1)
        if gap.size:
            before, after = present[gap[0]], present[gap[0] + 1]
            raise ValueError(f"{path}: {name}: a gap after {before} is not allowed; the next one there is {after}")
        first[name], count[name] = int(present[0]), present.size
    devices = count["device"]
    place = np.sort((frame - first["frame"]) * devices + (device - first["device"]))

    def where(index: int) -> str:
        return f"frame {first['frame'] + index // devices}, device {first['device'] + index % devices}"

    twice = np.flatnonzero(np.diff(place) == 0)
    if twice.size:
        raise ValueError(f"{path}: {where(int(place[twice[0]]))}: two rows are not allowed; there must be one")
    missing = np.flatnonzero(place != np.arange(place.size))
    index = int(missing[0]) if missing.size else place.size
    raise ValueError(f"{path}: {where(index)}: no row; there must be one per frame and device")
