"""Recorded channel gains and arrivals: read from a file, checked, ready to be played."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.model.ranges import ARRIVAL_MBIT, CHANNEL_GAIN, Range
from quedge.simulation.processes import Recorded

_RANGES = {"channel_gain": CHANNEL_GAIN, "arrival_mbit": ARRIVAL_MBIT}
_MAT_VARIABLES = {"channel_gain": "input_h", "arrival_mbit": "data_arrival"}
_MOST_LISTED = 20  # names in a message

Columns = dict[str, Any]
"""Raw columns by name, as a file holds them (pyarrow arrays)."""


@dataclass(frozen=True, eq=False)
class Recording:
    """What a file recorded; at least one of the two arrays is there.

    Attributes:
        name: the file, as messages call it.
        channel_gain: power gains (W/W), shape (frames, devices), positive.
        arrival_mbit: data that arrives during each frame (Mbit), shape (frames, devices), not negative.
    """

    name: str
    channel_gain: NDArray[np.float64] | None
    arrival_mbit: NDArray[np.float64] | None

    @property
    def frames(self) -> int:
        """Number of recorded frames."""
        return self._shape[0]

    @property
    def devices(self) -> int:
        """Number of recorded devices."""
        return self._shape[1]

    @property
    def channel(self) -> Recorded:
        """The recorded channel gains as a channel process.

        Raises:
            ValueError: the file holds none.
        """
        return self._played("channel_gain", self.channel_gain)

    @property
    def arrivals(self) -> Recorded:
        """The recorded arrivals as an arrival process.

        Raises:
            ValueError: the file holds none.
        """
        return self._played("arrival_mbit", self.arrival_mbit)

    @property
    def _shape(self) -> tuple[int, int]:
        values = self.channel_gain if self.channel_gain is not None else self.arrival_mbit
        assert values is not None
        return values.shape[0], values.shape[1]

    def _played(self, column: str, values: NDArray[np.float64] | None) -> Recorded:
        if values is None:
            raise ValueError(f"{self.name}: {column}: no such column or variable; it is needed here")
        return Recorded(values, self.name)


def read_recording(path: str | Path, wanted: Sequence[str] = tuple(_RANGES)) -> Recording:
    """Read a recording from a file.

    Parquet and CSV files hold one row a frame and device, in any order: integer columns `frame` and `device`,
    each numbered without gaps from any number on, 0 or more, and `channel_gain` (W/W) or `arrival_mbit` (Mbit a
    frame) or both. MATLAB files (before version 7.3) hold LyDROO's variables `input_h` and `data_arrival`, one row a
    frame. Whatever else a file holds is ignored.

    Args:
        path: a file whose name ends in .parquet, .csv or .mat.
        wanted: `channel_gain`, `arrival_mbit` or both; of both, one has to be there.

    Returns:
        The recording.

    Raises:
        ValueError: the file cannot be read or holds something that is not allowed; the message names the file,
            the column, the place and the value.
    """
    path = Path(path)
    readers: dict[str, Callable[[Path, Sequence[str]], Recording]] = {
        ".parquet": _read_parquet,
        ".csv": _read_csv,
        ".mat": _read_mat,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"{path}: a file name ending in {path.suffix!r} is not allowed; it must end in .parquet, .csv or .mat"
        )
    if not path.is_file():
        raise ValueError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    return reader(path, wanted)


def _read_parquet(path: Path, wanted: Sequence[str]) -> Recording:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow.names
            table = file.read(columns=[name for name in found if name in ("frame", "device", *wanted)])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as Parquet: {_first_line(error)}") from None
    return _from_columns(path, table, found, wanted)


def _read_csv(path: Path, wanted: Sequence[str]) -> Recording:
    import pyarrow as pa
    import pyarrow.csv as csv

    try:
        content = path.read_bytes()
        str(content, "utf-8")
        table = csv.read_csv(pa.BufferReader(content))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not a text file in UTF-8") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as CSV: {_first_line(error)}") from None
    return _from_columns(path, table, table.column_names, wanted)


def _read_mat(path: Path, wanted: Sequence[str]) -> Recording:
    from scipy.io import loadmat, whosmat

    try:
        found = [name for name, *_ in whosmat(path)]
        variables = loadmat(path, variable_names=[_MAT_VARIABLES[column] for column in wanted])
    except Exception as error:  # damaged files make scipy raise nearly anything
        raise ValueError(f"{path}: cannot be read as a MATLAB file: {_first_line(error)}") from None
    values: dict[str, NDArray[np.float64] | None] = dict.fromkeys(_MAT_VARIABLES)
    for column in wanted:
        variable = _MAT_VARIABLES[column]
        array = variables.get(variable)
        if array is None:
            continue
        numbers = isinstance(array, np.ndarray) and array.dtype.kind in "iuf"
        if not numbers or array.ndim != 2 or array.size == 0:
            raise ValueError(f"{path}: {variable}: must be a matrix of real numbers, one row a frame")
        checked = np.ascontiguousarray(array, dtype=np.float64)
        _refuse_bad_values(path, variable, checked, _RANGES[column], 0, 0)
        values[column] = checked
    gain, arrival = values["channel_gain"], values["arrival_mbit"]
    if gain is None and arrival is None:
        needed = " or ".join(f"{_MAT_VARIABLES[column]} ({column})" for column in wanted)
        raise ValueError(f"{path}: {needed}: no such variable; the variables are {_listed(found)}")
    if gain is not None and arrival is not None and gain.shape != arrival.shape:
        raise ValueError(f"{path}: data_arrival: shape {arrival.shape} is not allowed; input_h has {gain.shape}")
    return Recording(str(path), gain, arrival)


def _from_columns(path: Path, table: Any, found: Sequence[str], wanted: Sequence[str]) -> Recording:
    """A recording from long-format columns (a pyarrow table); `found` are the names of all columns of the file."""
    for name in ("frame", "device", *wanted):
        if table.column_names.count(name) > 1:
            raise ValueError(f"{path}: {name}: more than one column has this name")
    for name in ("frame", "device"):
        if name not in table.column_names:
            raise ValueError(f"{path}: {name}: no such column; the columns are {_listed(found)}")
    recorded = [name for name in wanted if name in table.column_names]
    if not recorded:
        raise ValueError(f"{path}: {' or '.join(wanted)}: no such column; the columns are {_listed(found)}")
    if table.num_rows == 0:
        raise ValueError(f"{path}: holds no rows; one row a frame and device is needed")
    frame = _integers(path, "frame", table.column("frame"))
    device = _integers(path, "device", table.column("device"))
    order, frames, devices = _order(path, frame, device)
    values: dict[str, NDArray[np.float64] | None] = dict.fromkeys(_RANGES)
    for name in recorded:
        array = _numbers(path, name, table.column(name))[order].reshape(frames, devices)
        _refuse_bad_values(path, name, array, _RANGES[name], int(frame.min()), int(device.min()))
        values[name] = array
    return Recording(str(path), values["channel_gain"], values["arrival_mbit"])


def _order(path: Path, frame: NDArray[np.int64], device: NDArray[np.int64]) -> tuple[NDArray[np.intp], int, int]:
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


def _integers(path: Path, name: str, column: Any) -> NDArray[np.int64]:
    import pyarrow as pa

    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise ValueError(f"{path}: {name}: no value in row {row + 1}; every row needs one")
    if not pa.types.is_integer(column.type):
        raise ValueError(f"{path}: {name}: {_odd_value(column, int)} is not allowed; it must be an integer")
    try:
        numbers = np.asarray(column.cast(pa.int64()).to_numpy())
    except pa.ArrowInvalid:
        raise ValueError(f"{path}: {name}: a number above 2^63 is not allowed") from None
    if (numbers < 0).any():
        row = int(np.argmax(numbers < 0))
        raise ValueError(f"{path}: {name}: {numbers[row]} (row {row + 1}) is not allowed; it must be at least 0")
    return numbers


def _numbers(path: Path, name: str, column: Any) -> NDArray[np.float64]:
    import pyarrow as pa

    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
    if not any(is_kind(column.type) for is_kind in kinds):
        raise ValueError(f"{path}: {name}: {_odd_value(column, float)} is not allowed; it must be a number")
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy())  # blanks become NaN


def _odd_value(column: Any, number: Callable[[str], object]) -> str:
    """The first value of a column that is no number, with its row; a file's type is guessed from all rows."""
    for row, value in enumerate(column.to_pylist()):
        if value is not None and not _reads_as(number, value):
            return f"{value!r} (row {row + 1})"
    return f"a column of type {column.type}"


def _reads_as(number: Callable[[str], object], value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    try:
        return isinstance(value, str) and number(value) is not None
    except ValueError:
        return False


def _refuse_bad_values(
    path: Path, name: str, values: NDArray[np.float64], allowed: Range, first_frame: int, first_device: int
) -> None:
    bad = allowed.excludes(values)
    if bad.any():
        frame, device = (int(index) for index in np.argwhere(bad)[0])
        place = f"in frame {first_frame + frame}, device {first_device + device}"
        if np.isnan(values[frame, device]):
            raise ValueError(f"{path}: {name}: no number (blank or NaN) {place}; it must be {allowed.allowed}")
        raise ValueError(
            f"{path}: {name}: {values[frame, device]} {place} is not allowed; it must be {allowed.allowed}"
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(str(name) for name in names[:_MOST_LISTED])
    return f"{shown}, ..." if len(names) > _MOST_LISTED else shown or "none"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
