"""Recordings with one row per frame and device, in any order, once they are read into columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from quedge.simulation.recordings.axes import Axis, numbered, warn_of_uneven_times
from quedge.simulation.recordings.layout import Layout
from quedge.simulation.recordings.values import Table, checked_values, listed

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]

SUBCHANNEL = "subchannel"
"""The column that tells the rows of a frame and device apart where sub-channels fade for themselves."""

_MOST_PLACES = 1 << 28  # frames times devices of a table with missing rows: 2 GB a quantity


class Rows(NamedTuple):
    """A file with one row per frame and device, in columns.

    Attributes:
        frame: whole numbers, 0 or more, or time stamps: floats, or nanoseconds since 1970.
        device: whole numbers, 0 or more; of devices with names their places among these.
        names: the devices with names; None where they are whole numbers.
        recorded: gains and arrivals by the names of `RANGES`, as they stand in the file; blanks are NaN.
        subchannel: whole numbers, 0 or more, where there is a row for each sub-channel; else None.
    """

    frame: NDArray[Any]
    device: Integers
    names: Axis | None
    recorded: Mapping[str, Numbers]
    subchannel: Integers | None = None

    def of(self, subchannel: int) -> Rows:
        """The rows of one sub-channel."""
        chosen = self.subchannel == subchannel
        recorded = {name: column[chosen] for name, column in self.recorded.items()}
        return Rows(self.frame[chosen], self.device[chosen], self.names, recorded)


def whole_numbers(where: str, numbers: NDArray[Any]) -> Integers:
    """Numbers of devices, floats among them, as integers; a ValueError names one that is no whole number."""
    if numbers.dtype.kind == "i":
        return numbers
    odd = ~((numbers >= 0.0) & (numbers < 2**53) & (numbers % 1.0 == 0.0))
    if odd.any():
        row = int(odd.argmax())
        raise ValueError(f"{where}: {numbers[row]} (row {row + 1}) is not allowed; it must be an integer, or a name")
    return numbers.astype(np.int64)


def recorded_columns(name: str, found: Sequence[str], wanted: Sequence[str], layout: Layout) -> dict[str, str]:
    """The names in a file of `frame`, `device`, `subchannel` and the wanted columns, at least one, by quedge's names.

    Raises:
        ValueError: none is there, `frame` or `device` is missing, or a name is there twice.
    """
    names = {column: layout.name(column, found) for column in ("frame", "device", *wanted)}
    for called in names.values():
        if found.count(called) > 1:
            raise ValueError(f"{name}: {called}: more than one column has this name")
    there = {column: called for column, called in names.items() if called in found}
    if SUBCHANNEL in found:
        there[SUBCHANNEL] = SUBCHANNEL
    recorded = [column for column in wanted if column in there]
    missing = next((column for column in ("frame", "device") if column not in there), None)
    if missing is None and recorded:
        return there
    lacking = names[missing] if missing is not None else " or ".join(names[column] for column in wanted)
    cure = f"{missing or wanted[0]}=COLUMN tells which one it is"
    if any(_is_number(each) for each in found):
        cure = "the first line must name the columns"
    raise ValueError(f"{name}: {lacking}: no such column; the columns are {listed(found)}; {cure}")


def _is_number(text: str) -> bool:
    try:
        return float(text) is not None
    except ValueError:
        return False


def placed(name: str, rows: Rows, layout: Layout, like: tuple[Axis, Axis] | None = None) -> Table:
    """Columns with one row per frame and device, as arrays of shape (frames, devices).

    Rows by frame, then device, stay where they are; others are put in their places, without sorting. Where rows may be
    missing, their gains and arrivals are 0.

    Args:
        name: the file's name.
        rows: its columns.
        layout: how it is written, which rows may be missing among that.
        like: frames and devices of the channel recording that these arrivals go with: names of devices are found among
            its own, and sparse arrivals have as many frames and devices as it has.

    Raises:
        ValueError: no rows, a gap, a missing or duplicate row, or a value that is not allowed.
    """
    if rows.frame.size == 0:
        raise ValueError(f"{name}: holds no rows; one row per frame and device is needed")
    frame, frames = numbered(rows.frame)
    device, devices = _numbered_devices(name, rows, like)
    fills = _may_miss(rows, layout)
    if fills and like is not None and "channel_gain" not in rows.recorded:
        frame, frames = _found(name, "frame", frame, frames, like[0])
        device, devices = _found(name, "device", device, devices, like[1])
    shape = frames.size, devices.size
    if fills and shape[0] * shape[1] > _MOST_PLACES:
        raise ValueError(
            f"{name}: frame: {shape[0]} frames of {shape[1]} devices, from {frames.label(0)} to "
            f"{frames.label(shape[0] - 1)}, are not allowed; they must be {_MOST_PLACES} values at most"
        )
    axes = frames, devices
    place = None
    if shape[0] * shape[1] != frame.size or not _in_order(frame, device, axes):
        place = _places(name, frame, device, axes, fills, layout)
    table = Table(frames, devices)
    if fills and "channel_gain" in rows.recorded:
        table.away = _laid(np.isnan(rows.recorded["channel_gain"]), place, shape, missing=True)
    for column, numbers in rows.recorded.items():
        array = _laid(numbers, place, shape, missing=np.nan)
        table[column] = _checked(name, column, array, axes, layout)
    warn_of_uneven_times(name, frames)
    return table


def placed_by_subchannel(name: str, rows: Rows, layout: Layout, like: tuple[Axis, Axis] | None = None) -> Table:
    """As `placed`, where there may be a row for each sub-channel: gains then get an axis for these.

    Raises:
        ValueError: as there, or arrivals that differ from one sub-channel to the next.
    """
    if rows.subchannel is None or rows.frame.size == 0:
        return placed(name, rows, layout, like)
    tables: list[Table] = []
    first, last = int(rows.subchannel.min()), int(rows.subchannel.max())
    for number in range(first, last + 1):
        own = rows.of(number)
        if own.frame.size == 0:
            raise ValueError(f"{name}: subchannel: a gap after {number - 1} is not allowed; the last one is {last}")
        try:
            tables.append(placed(name, own, layout, like))
        except ValueError as error:
            raise ValueError(f"{error} (sub-channel {number})") from None
    table = tables[0]
    if any((each.frames.size, each.devices.size) != (table.frames.size, table.devices.size) for each in tables):
        raise ValueError(f"{name}: subchannel: of other frames or devices than the first is not allowed")
    arrivals = [each["arrival_mbit"] for each in tables if each["arrival_mbit"] is not None]
    if any(not np.array_equal(each, arrivals[0]) for each in arrivals):
        raise ValueError(f"{name}: arrival_mbit: differs between the sub-channels of a device; it must be the same")
    gains = [each["channel_gain"] for each in tables if each["channel_gain"] is not None]
    if len(gains) > 1:
        table["channel_gain"] = np.ascontiguousarray(np.stack(gains, axis=2))
    return table


def _checked(name: str, column: str, array: Numbers, axes: tuple[Axis, Axis], layout: Layout) -> Numbers:
    """Gains or arrivals, 0 where they are missing and may be."""
    away = layout.absent != "refused"
    blank = np.isnan(array) if away or (column == "arrival_mbit" and layout.arrivals == "sparse") else None
    if blank is not None and blank.any():
        array = np.where(blank, layout.no_gain if column == "channel_gain" else 0.0, array)
    called = layout.columns.get(column, column)
    return checked_values(name, called, column, array, axes, layout)


def _may_miss(rows: Rows, layout: Layout) -> bool:
    """Whether rows may be missing."""
    has_gains = "channel_gain" in rows.recorded
    return layout.absent != "refused" or (layout.arrivals == "sparse" and not has_gains)


def _numbered_devices(name: str, rows: Rows, like: tuple[Axis, Axis] | None) -> tuple[Integers, Axis]:
    """Devices as whole numbers, and what they stand for: names in the order of the recording that they go with."""
    if rows.names is None:
        first = int(rows.device.min())
        return rows.device, Axis(first, int(rows.device.max()) - first + 1)
    if like is None or like[1].labels is None:
        return rows.device, rows.names
    return _found(name, "device", rows.device, rows.names, like[1])


def _found(name: str, column: str, number: Integers, own: Axis, other: Axis) -> tuple[Integers, Axis]:
    """The same frames or devices as numbers of another recording's; a ValueError names one that is not there."""
    if own.labels is None and other.labels is None:
        outside = (number < other.first) | (number >= other.first + other.size)
        if outside.any():
            _refuse_unknown(name, column, str(number[outside.argmax()]), other)
        return number, other
    places = {other.label(place): place for place in range(other.size)}
    for place in np.unique(number - own.first):
        if own.label(int(place)) not in places:
            _refuse_unknown(name, column, own.label(int(place)), other)
    by_own = np.array([places.get(own.label(place), -1) for place in range(own.size)], dtype=np.int64)
    return other.first + by_own[number - own.first], other


def _refuse_unknown(name: str, column: str, label: str, other: Axis) -> NoReturn:
    raise ValueError(
        f"{name}: {column}: {label} is not allowed; the channel recording has {other.label(0)} to "
        f"{other.label(other.size - 1)}"
    )


def _in_order(frame: Integers, device: Integers, axes: tuple[Axis, Axis]) -> bool:
    """Whether the rows, as many as the table has places, come by frame, then device."""
    frames, devices = axes
    shape = frames.size, devices.size
    by_frame = frame.reshape(shape) == frames.first + np.arange(shape[0])[:, np.newaxis]
    by_device = device.reshape(shape) == devices.first + np.arange(shape[1])
    return bool(by_frame.all() and by_device.all())


def _places(
    name: str, frame: Integers, device: Integers, axes: tuple[Axis, Axis], fills: bool, layout: Layout
) -> Integers:
    """The place of each row in the table; a ValueError where it has none of its own, or one is left free."""
    frames, devices = axes
    if not fills and frames.size * devices.size != frame.size:
        _refuse_incomplete(name, frame, device, axes, layout)
    place = (frame - frames.first) * devices.size + (device - devices.first)
    filled = np.zeros(frames.size * devices.size, dtype=np.bool_)
    filled[place] = True
    if not filled.all() and (not fills or np.count_nonzero(filled) < place.size):
        _refuse_incomplete(name, frame, device, axes, layout)
    return np.asarray(place)


def _laid(column: NDArray[Any], place: Integers | None, shape: tuple[int, int], missing: object) -> NDArray[Any]:
    """A column as an array of shape (frames, devices)."""
    if place is None:
        return np.require(column, requirements="W").reshape(shape)
    array = np.empty(column.size) if column.size == shape[0] * shape[1] else np.full(shape[0] * shape[1], missing)
    array = array.astype(column.dtype, copy=False)
    array[place] = column
    return array.reshape(shape)


def _refuse_incomplete(
    name: str, frame: Integers, device: Integers, axes: tuple[Axis, Axis], layout: Layout
) -> NoReturn:
    """Name the first gap, duplicate or missing row of a table that has one."""
    frames, devices = axes
    may_miss = layout.absent != "refused" or layout.arrivals == "sparse"
    for column, numbers in () if may_miss else (("frame", frame), ("device", device)):
        present = np.unique(numbers)
        gap = np.flatnonzero(np.diff(present) != 1)
        if gap.size:
            before, after = present[gap[0]], present[gap[0] + 1]
            raise ValueError(
                f"{name}: {column}: a gap after {before} is not allowed; the next one there is {after}{_CURE}"
            )
    place = np.sort((frame - frames.first) * devices.size + (device - devices.first))

    def where(index: int) -> str:
        return f"frame {frames.label(index // devices.size)}, device {devices.label(index % devices.size)}"

    twice = np.flatnonzero(np.diff(place) == 0)
    if twice.size:
        raise ValueError(f"{name}: {where(int(place[twice[0]]))}: two rows are not allowed; there must be one")
    missing = np.flatnonzero(place != np.arange(place.size))
    index = int(missing[0]) if missing.size else place.size
    raise ValueError(f"{name}: {where(index)}: no row; there must be one per frame and device{_CURE}")


_CURE = "; under absent=keep or absent=drop devices come and go, under arrivals=sparse nothing arrived there"
