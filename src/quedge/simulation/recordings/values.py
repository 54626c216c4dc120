"""What a recording may hold, in any kind of file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quedge.model.frame import ARRIVAL_MBIT, CHANNEL_GAIN

RANGES = {"channel_gain": CHANNEL_GAIN, "arrival_mbit": ARRIVAL_MBIT}

Values = dict[str, NDArray[np.float64] | None]
"""Arrays of shape (frames, devices) by the names of `RANGES`; None where a file has none."""

_MAX_LISTED = 20  # names in a message


def refuse_bad_values(
    path: Path, called: str, column: str, values: NDArray[np.float64], first_frame: int = 0, first_device: int = 0
) -> None:
    """Refuse values, shape (frames, devices), that are not allowed; a ValueError names the first one and its place.

    They are `called` so in the file, whose frames and devices start at the two numbers; `column` is their name in
    `RANGES`.
    """
    allowed = RANGES[column]
    if not allowed.excludes(np.array([values.min(), values.max()])).any():  # NaN is the least and the greatest
        return
    frame, device = divmod(int(allowed.excludes(values).argmax()), values.shape[1])
    place = f"in frame {first_frame + frame}, device {first_device + device}"
    if np.isnan(values[frame, device]):
        raise ValueError(f"{path}: {called}: no number (blank or NaN) {place}; it must be {allowed.allowed}")
    raise ValueError(f"{path}: {called}: {values[frame, device]} {place} is not allowed; it must be {allowed.allowed}")


def listed(names: Sequence[str]) -> str:
    """Names in a file, for a message."""
    shown = ", ".join(str(name) for name in names[:_MAX_LISTED])
    return f"{shown}, ..." if len(names) > _MAX_LISTED else shown or "none"


def first_line(error: Exception) -> str:
    """The first line of a library's error."""
    return (str(error).splitlines() or [type(error).__name__])[0]
