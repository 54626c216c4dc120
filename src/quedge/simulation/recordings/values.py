"""What a recording may hold, in any kind of file."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quedge.model.frame import ARRIVAL_MBIT, CHANNEL_GAIN
from quedge.simulation.recordings.axes import Axis
from quedge.simulation.recordings.layout import Layout

RANGES = {"channel_gain": CHANNEL_GAIN, "arrival_mbit": ARRIVAL_MBIT}

Values = dict[str, NDArray[np.float64] | None]
"""Arrays of shape (frames, devices) by the names of `RANGES`; None where a file has none."""

_MAX_LISTED = 20  # names in a message
_OTHER_UNITS = (
    "decibels (gain_unit=db), path losses in decibels (gain_unit=loss-db), amplitudes (gain_unit=amplitude), or gains "
    "over the noise"
)
_BLANK = {
    "channel_gain": "; under absent=keep or absent=drop a blank is a device that is away",
    "arrival_mbit": "; under arrivals=sparse a blank is nothing that arrived",
}


class Table(Values):
    """`Values`, and what their frames and devices stand for.

    Attributes:
        frames: the frames.
        devices: the devices.
        away: where a device was away, shape (frames, devices); None where none was.
    """

    def __init__(self, frames: Axis, devices: Axis, away: NDArray[np.bool_] | None = None) -> None:
        """Without values so far."""
        super().__init__(dict.fromkeys(RANGES))
        self.frames, self.devices, self.away = frames, devices, away


def checked_values(
    name: str, called: str, column: str, values: NDArray[np.float64], axes: tuple[Axis, Axis], layout: Layout
) -> NDArray[np.float64]:
    """Gains (W/W) or arrivals (Mbit) from values of shape (frames, devices), as a file holds them.

    They are `called` so in the file; `column` is their name in `RANGES`. A warning says what is likely where gains are
    above 1.

    Raises:
        ValueError: naming the first one that is not allowed, its place, and the likely cause.
    """
    if column == "channel_gain":
        values = layout.gains(values)
    allowed = RANGES[column]
    if not allowed.excludes(np.array([values.min(), values.max()])).any():  # NaN is the least and the greatest
        if column == "channel_gain" and values.max() > 1.0:
            warnings.warn(
                f"{name}: {called}: {values.max():g} W/W: a gain above 1 is more than was sent; these may be "
                + _OTHER_UNITS,
                stacklevel=2,
            )
        return values
    frame, device = divmod(int(allowed.excludes(values).argmax()), values.shape[1])
    place = f"in frame {axes[0].label(frame)}, device {axes[1].label(device)}"
    if np.isnan(values[frame, device]):
        raise ValueError(
            f"{name}: {called}: no number (blank or NaN) {place}; it must be {allowed.allowed}{_BLANK[column]}"
        )
    cause = f"; these may be {_OTHER_UNITS}" if column == "channel_gain" and np.isfinite(values[frame, device]) else ""
    raise ValueError(
        f"{name}: {called}: {values[frame, device]} {place} is not allowed; it must be {allowed.allowed}{cause}"
    )


def listed(names: Sequence[str]) -> str:
    """Names in a file, for a message."""
    shown = ", ".join(str(name) for name in names[:_MAX_LISTED])
    return f"{shown}, ..." if len(names) > _MAX_LISTED else shown or "none"


def first_line(error: Exception) -> str:
    """The first line of a library's error."""
    return (str(error).splitlines() or [type(error).__name__])[0]
