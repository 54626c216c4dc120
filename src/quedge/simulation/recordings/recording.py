"""Recordings of channel gains and arrivals, read from files, and the recording that comes with the package."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quedge.model.scenario import Scenario
from quedge.simulation.processes import Recorded
from quedge.simulation.recordings.axes import Axis
from quedge.simulation.recordings.layout import PLAIN, Layout
from quedge.simulation.recordings.matrices import read_matlab, read_npz
from quedge.simulation.recordings.parquet import read_parquet
from quedge.simulation.recordings.rows import Rows, placed_by_subchannel
from quedge.simulation.recordings.text import STANDARD_INPUT, read_csv
from quedge.simulation.recordings.values import RANGES, Table

_READERS: dict[str, Callable[[Path, Sequence[str], Layout], Rows | Table]] = {
    ".csv": read_csv,
    ".csv.gz": read_csv,
    ".npz": read_npz,
    ".parquet": read_parquet,
    ".mat": read_matlab,
}


@dataclass(frozen=True, eq=False)
class Recording:
    """The content of a recorded file, at least one of the two arrays.

    Attributes:
        name: the file's name in messages.
        channel_gain: power gains (W/W), shape (frames, devices), not negative; 0 where a device is out of coverage. Of
            shape (frames, devices, sub-channels) where these differ.
        arrival_mbit: arrivals during each frame (Mbit), shape (frames, devices), not negative.
        frame_axis: what the frames are called in the file.
        device_axis: what the devices are called in the file.
        leaves: where a device goes and its data queue is to be dropped, shape (frames, devices); None where none does.
    """

    name: str
    channel_gain: NDArray[np.float64] | None
    arrival_mbit: NDArray[np.float64] | None
    frame_axis: Axis
    device_axis: Axis
    leaves: NDArray[np.bool_] | None = None

    @property
    def frames(self) -> int:
        """Number of recorded frames."""
        return self.frame_axis.size

    @property
    def devices(self) -> int:
        """Number of recorded devices."""
        return self.device_axis.size

    @property
    def channel(self) -> Recorded:
        """The channel gains as a channel process.

        Raises:
            ValueError: the file holds none.
        """
        return self._played("channel_gain", self.channel_gain)

    @property
    def arrivals(self) -> Recorded:
        """The arrivals as an arrival process.

        Raises:
            ValueError: the file holds none.
        """
        return self._played("arrival_mbit", self.arrival_mbit)

    def _played(self, column: str, values: NDArray[np.float64] | None) -> Recorded:
        if values is None:
            raise ValueError(f"{self.name}: {column}: no such column or variable; it is needed here")
        return Recorded(values, self.name, self.leaves if column == "channel_gain" else None)


def read_recording(
    path: str | Path,
    wanted: Sequence[str] = tuple(RANGES),
    layout: Layout = PLAIN,
    like: Recording | None = None,
) -> Recording:
    """Read a recording from a file.

    CSV and Parquet files hold one row per frame and device, in any order: columns `frame` and `device`, and
    `channel_gain` (W/W), `arrival_mbit` (Mbit per frame) or both. Frames are whole numbers without gaps from any number
    on, 0 or more, or time stamps, each of which is a frame, in the order of time; devices whole numbers likewise, or
    names, in the order of their first appearance. With a column `subchannel` there is a row for each sub-channel, in an
    array of gains a third axis. NumPy archives and MATLAB files hold arrays of shape
    (frames, devices) of the same names, MATLAB files also LyDROO's variables `input_h` and `data_arrival`. All else in
    a file is ignored.

    A warning says what is likely wrong where gains are above 1, time stamps uneven, or devices more than frames.

    Args:
        path: a file whose name ends in .csv, .csv.gz, .npz, .parquet or .mat; - is standard input, as CSV.
        wanted: `channel_gain`, `arrival_mbit` or both; of both, one must be there.
        layout: how the file is written, where that is not as above.
        like: the channel recording that arrivals go with: devices with names are found among its own, and sparse
            arrivals have its frames and devices.

    Returns:
        The recording.

    Raises:
        ValueError: the file cannot be read, or a value is not allowed; the message names the file, the column, the
            place and the value.
        MissingExtraError: the library for Parquet or MATLAB files is not installed.
    """
    path = Path(path)
    is_file = path != STANDARD_INPUT
    read = _reader_of(path)(path, wanted, layout) if is_file else read_csv(path, wanted, layout)
    name = str(path) if is_file else "standard input"
    axes = None if like is None else (like.frame_axis, like.device_axis)
    table = placed_by_subchannel(name, read, layout, axes) if isinstance(read, Rows) else read
    leaves = None
    if layout.absent == "drop" and table.away is not None:
        leaves = table.away.copy()
        leaves[1:] &= ~table.away[:-1]
    return Recording(name, table["channel_gain"], table["arrival_mbit"], table.frames, table.devices, leaves)


def _reader_of(path: Path) -> Callable[[Path, Sequence[str], Layout], Rows | Table]:
    """What reads a file, by the ending of its name."""
    suffix = "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]).lower()
    if suffix not in _READERS:
        *others, last = _READERS
        allowed = f"{', '.join(others)} or {last}"
        raise ValueError(f"{path}: a file name ending in {suffix!r} is not allowed; it must end in {allowed}")
    if not path.is_file():
        raise ValueError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    return _READERS[suffix]


MUNICH_SCENARIO = Scenario(devices=10, pqc_power_w=0.02)
MUNICH_FRAMES = 5_000


@dataclass(frozen=True)
class MunichWalk:
    """Ray-traced channel gains of ten devices walking around a base station in Munich, 5,000 frames."""

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """See `ChannelProcess.sample`."""
        return _munich_walk().sample(scenario, frames, rng)


@functools.cache
def _munich_walk() -> Recorded:
    with as_file(files("quedge") / "data" / "munich_walk.npz") as path:
        return read_recording(path, ["channel_gain"]).channel


def munich_places() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where the devices of the Munich walk are, x and y (m), and their channel gains (W/W); each (frames, devices)."""
    with as_file(files("quedge") / "data" / "munich_walk.npz") as path, np.load(path) as arrays:
        x_m, y_m, gain = (arrays[name].astype(np.float64) for name in ("x_m", "y_m", "channel_gain"))
    return x_m, y_m, gain
