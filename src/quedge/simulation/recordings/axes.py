"""The frames and devices of a recording: whole numbers in a row, time stamps, or names."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.model.kernels import Ints

TIME = np.dtype("datetime64[ns]")
FIRST_TIME_STAMP = 10**8
"""Whole numbers of frames from here on are time stamps, such as seconds since 1970: there are gaps between them."""
_UNEVEN = 1.5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Axis(NamedTuple):
    """The frames, or the devices, of a recording, in order.

    Attributes:
        first: the first one's number, where they are whole numbers in a row.
        size: how many there are.
        labels: their names or time stamps where they have such; shape (size,).
    """

    first: int
    size: int
    labels: NDArray[Any] | None = None

    def label(self, place: int) -> str:
        """What the one at a place is called in the file."""
        return str(self.first + place) if self.labels is None else str(self.labels[place])


def numbered(frame: NDArray[Any]) -> tuple[Ints, Axis]:
    """Frames as whole numbers, and what they stand for.

    Whole numbers, floats among them, count frames. Other numbers, date and time, and whole numbers from 10^8 on are
    time stamps: each is a frame, in the order of time.
    """
    if frame.dtype.kind == "f" and not (frame % 1.0).any() and frame.max() < 2**53:
        frame = frame.astype(np.int64)
    if frame.dtype.kind == "i" and frame.min() < FIRST_TIME_STAMP:
        first = int(frame.min())
        return frame.astype(np.int64, copy=False), Axis(first, int(frame.max()) - first + 1)
    labels, place = np.unique(frame, return_inverse=True)
    return place.astype(np.int64), Axis(0, labels.size, labels)


def warn_of_uneven_times(name: str, frames: Axis) -> None:
    """A warning where a recording's time stamps do not follow each other evenly."""
    if frames.labels is None or frames.size < 3:
        return
    steps = np.diff(frames.labels)
    shortest, longest = (step.astype(np.float64) for step in (steps.min(), steps.max()))
    if longest > _UNEVEN * shortest:
        place = int(steps.argmax())
        warnings.warn(
            f"{name}: frame: time stamps are not evenly apart, the furthest after {frames.label(place)}; each one is "
            "taken as the frame that follows the last",
            stacklevel=2,
        )


class Names:
    """Names of devices, numbered in the order of their first appearance."""

    def __init__(self) -> None:
        """None has appeared yet."""
        self._numbers: dict[str, int] = {}

    def numbers(self, names: Iterable[str]) -> Ints:
        """The number of each name."""
        known = self._numbers
        return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)

    @property
    def axis(self) -> Axis:
        """All that have appeared."""
        return Axis(0, len(self._numbers), np.array(list(self._numbers), dtype=np.str_))


def times(texts: Sequence[str]) -> NDArray[np.datetime64]:
    """Dates and times in ISO 8601's form, without a zone in UTC.

    Raises:
        ValueError: a text is none.
    """
    return np.array([_nanoseconds(text) for text in texts], dtype=np.int64).view(TIME)


def _nanoseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
