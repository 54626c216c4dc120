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
from quedge.simulation.recordings.matrices import read_matlab, read_npz
from quedge.simulation.recordings.parquet import read_parquet
from quedge.simulation.recordings.text import read_csv
from quedge.simulation.recordings.values import RANGES, Values

_READERS: dict[str, Callable[[Path, Sequence[str]], Values]] = {
    ".csv": read_csv,
    ".npz": read_npz,
    ".parquet": read_parquet,
    ".mat": read_matlab,
}


@dataclass(frozen=True, eq=False)
class Recording:
    """The content of a recorded file, at least one of the two arrays.

    Attributes:
        name: the file's name in messages.
        channel_gain: power gains (W/W), shape (frames, devices), positive.
        arrival_mbit: arrivals during each frame (Mbit), shape (frames, devices), not negative.
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

    @property
    def _shape(self) -> tuple[int, int]:
        values = self.channel_gain if self.channel_gain is not None else self.arrival_mbit
        assert values is not None
        return values.shape[0], values.shape[1]

    def _played(self, column: str, values: NDArray[np.float64] | None) -> Recorded:
        if values is None:
            raise ValueError(f"{self.name}: {column}: no such column or variable; it is needed here")
        return Recorded(values, self.name)


def read_recording(path: str | Path, wanted: Sequence[str] = tuple(RANGES)) -> Recording:
    """Read a recording from a file.

    CSV and Parquet files hold one row per frame and device, in any order: integer columns `frame` and `device`, each
    numbered without gaps from any number on, 0 or more, and `channel_gain` (W/W), `arrival_mbit` (Mbit per frame) or
    both. NumPy archives hold these two as arrays of shape (frames, devices), MATLAB files (before version 7.3) as
    LyDROO's variables `input_h` and `data_arrival`. All else in a file is ignored.

    Args:
        path: a file whose name ends in .csv, .npz, .parquet or .mat.
        wanted: `channel_gain`, `arrival_mbit` or both; of both, one must be there.

    Returns:
        The recording.

    Raises:
        ValueError: the file cannot be read, or a value is not allowed; the message names the file, the column, the
            place and the value.
        MissingExtraError: the library for Parquet or MATLAB files is not installed.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"{path}: a file name ending in {path.suffix!r} is not allowed; it must end in .csv, .npz, .parquet or .mat"
        )
    if not path.is_file():
        raise ValueError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    values = reader(path, wanted)
    return Recording(str(path), values["channel_gain"], values["arrival_mbit"])


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
