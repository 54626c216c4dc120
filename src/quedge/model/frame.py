"""A frame: the state that a policy sees, what it decides, and both as plain arrays for kernels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed
from quedge.model.cell import NUMBERS, Cell
from quedge.model.kernels import Bools, Floats, Ints, inner_kernel, kernel, without_refcount


class Range(NamedTuple):
    """Numbers from 0 up.

    Attributes:
        highest: the largest allowed; infinity where any finite number is.
    """

    highest: float

    @property
    def allowed(self) -> str:
        """The allowed values in words, as error messages give them."""
        return f"at least 0 and at most {self.highest:g}" if math.isfinite(self.highest) else "finite and at least 0"

    def excludes(self, values: Floats) -> Bools:
        """Where a value is no number or lies outside."""
        return ~((values >= 0.0) & (values <= self.highest) & np.isfinite(values))

    def first_excluded(self, values: Floats) -> int:
        """Place of the first value that is excluded, of shape (values,); -1 where none is."""
        return _first_excluded(values, self.highest)


@kernel
def _first_excluded(values: Floats, highest: float) -> int:
    """As `Range.excludes`, compiled: reports are checked in every frame."""
    for i in range(values.size):
        if not (values[i] >= 0.0 and values[i] <= highest and math.isfinite(values[i])):
            return i
    return -1


CHANNEL_GAIN = Range(1e6)
ARRIVAL_MBIT = Range(1e12)
DATA_QUEUE_MBIT = Range(1e12)
ENERGY_QUEUE = Range(1e15)


class Frame(NamedTuple):
    """One frame's state: problem (17) is fully given by it.

    Attributes:
        cell: constants of the cell.
        channel_gain: power gain h of each device's channel (W/W), shape (devices,), not negative; 0 where a device is
            out of coverage in this frame: every allocator lets it compute locally. Where sub-channels fade for
            themselves, of each device on each of them, shape (devices, sub-channels).
        data_queue_mbit: data queue Q (Mbit), shape (devices,), not negative.
        energy_queue: virtual energy queue Y, shape (devices,), not negative.

    Example:
        >>> from quedge.model.cell import cell_of
        >>> gain, queue, energy = np.array([2e-11, 4e-12, 6e-13]), np.array([5.0, 9.0, 4.0]), np.array([1.0, 0.0, 2.0])
        >>> frame = quedge.Frame(cell_of(quedge.Scenario(devices=3)), gain, queue, energy)
        >>> print(quedge.Exact().decide(frame, rng).offload)
        [ True  True False]
    """

    cell: Cell
    channel_gain: NDArray[np.float64]
    data_queue_mbit: NDArray[np.float64]
    energy_queue: NDArray[np.float64]


class Status(StrEnum):
    """How a decision came about.

    A controller must answer every frame, so numerical trouble is a value here and never an exception.

    Example:
        >>> print(quedge.Exact().decide(frame, rng).status is quedge.Status.OK)
        True
        >>> print(*quedge.Status)
        ok gap_open rounds_spent fallback
    """

    OK = "ok"
    GAP_OPEN = "gap_open"
    """The decision is feasible and its upper bound valid, but their gap is above the tolerance."""
    ROUNDS_SPENT = "rounds_spent"
    """The decision is feasible, but its iteration had not converged when the allowed rounds were spent."""
    FALLBACK = "fallback"
    """A solver failed; the decision is the last feasible point that it had reached."""


NO_SUBCHANNELS = np.empty(0, np.int64)
"""The sub-channels of devices where there is but one."""
LOCAL = -1
"""Stands for the sub-channel of a device that computes locally."""
NO_TIME_SHARES = np.empty(0)
"""The time shares of offloaders that all transmit at once, for the whole frame (NOMA)."""


class Allocation(NamedTuple):
    """What is decided: who offloads, where, and with which power, CPU frequency and share of the frame.

    Attributes:
        offload: x, true where a device offloads; shape (devices,), like all that follow.
        transmit_power_w: p (W).
        cpu_frequency_hz: f (Hz); of an offloader, too, if offloading is partial.
        time_share: share of the frame in which a device transmits, alone on the uplink; `NO_TIME_SHARES` for NOMA.
        subchannel: number of the sub-channel on which a device offloads, from 0, and `LOCAL` where it does not;
            `NO_SUBCHANNELS` where there is one.
    """

    offload: Bools
    transmit_power_w: Floats
    cpu_frequency_hz: Floats
    time_share: Floats
    subchannel: Ints = NO_SUBCHANNELS


class Outcome(NamedTuple):
    """What an allocation brings in a frame.

    Attributes:
        rate_mbps: rate r, eq. (5) (Mbit/s); shape (devices,).
        power_w: mean power e, eq. (6) (W); shape (devices,).
        objective: objective (17).
    """

    rate_mbps: Floats
    power_w: Floats
    objective: float


_NO_NOTES: Mapping[str, float] = MappingProxyType({})


class Decision(NamedTuple):
    """Who offloads, and with which power and CPU frequency.

    Attributes:
        offload: x, true where a device offloads; shape (devices,).
        transmit_power_w: p (W), zero where a device computes locally; shape (devices,).
        cpu_frequency_hz: f (Hz), zero where a device offloads, unless offloading is partial; shape (devices,).
        rate_mbps: rate r that follows, eq. (5) (Mbit/s); shape (devices,).
        power_w: power e that follows, eq. (6) (W); shape (devices,).
        objective: the frame's objective (17) that follows.
        upper_bound: no decision reaches more than this in the frame; None where a policy has no bound.
        status: how the decision came about.
        time_share: share of the frame in which each device transmits, alone on the uplink (time division); shape
            (devices,), at most 1 in all. None where all offloaders transmit at once and for the whole frame (NOMA).
        notes: numbers that the policy or allocator tells of how it decided, by name; a trace keeps them.
        subchannel: number of the sub-channel on which each device offloads, from 0, and -1 where it computes locally;
            shape (devices,). None where there is one sub-channel.

    Example:
        >>> decision = quedge.Exact().decide(frame, rng)
        >>> print(decision.offload, decision.transmit_power_w.round(4), decision.cpu_frequency_hz / 1e6)
        [ True  True False] [0.0705 0.0595 0.    ] [  0.   0. 300.]
        >>> print(decision.rate_mbps.round(2), decision.power_w.round(4))
        [5. 9. 3.] [0.0705 0.0595 0.27  ]
        >>> print(f"{decision.objective:.1f} of at most {decision.upper_bound:.1f}, {decision.status}")
        501.4 of at most 501.4, ok
    """

    offload: NDArray[np.bool_]
    transmit_power_w: NDArray[np.float64]
    cpu_frequency_hz: NDArray[np.float64]
    rate_mbps: NDArray[np.float64]
    power_w: NDArray[np.float64]
    objective: float
    upper_bound: float | None = None
    status: Status = Status.OK
    time_share: NDArray[np.float64] | None = None
    notes: Mapping[str, float] = _NO_NOTES
    subchannel: NDArray[np.int64] | None = None

    @property
    def allocation(self) -> Allocation:
        """What is decided, as the model takes it."""
        share = NO_TIME_SHARES if self.time_share is None else self.time_share
        subchannel = NO_SUBCHANNELS if self.subchannel is None else self.subchannel
        return Allocation(self.offload, self.transmit_power_w, self.cpu_frequency_hz, share, subchannel)


def checked_frame(cell: Cell, channel_gain: Any, data_queue_mbit: Any, energy_queue: Any) -> Frame:
    """A frame from values that come from outside.

    Args:
        cell: constants of the cell.
        channel_gain: one power gain a device (W/W), or one a device and sub-channel, not negative; 0 is out of
            coverage.
        data_queue_mbit: one data queue a device (Mbit), not negative.
        energy_queue: one virtual energy queue a device, not negative.

    Raises:
        ValueError: naming the argument, the value and what is allowed.
    """
    return Frame(
        cell,
        checked_array("channel_gain", channel_gain, cell.devices, CHANNEL_GAIN, cell.subchannels),
        checked_array("data_queue_mbit", data_queue_mbit, cell.devices, DATA_QUEUE_MBIT),
        checked_array("energy_queue", energy_queue, cell.devices, ENERGY_QUEUE),
    )


def checked_array(name: str, values: Any, devices: int, allowed: Range, subchannels: int = 1) -> NDArray[np.float64]:
    """One number a device from values that come from outside, or with several sub-channels one a device and each.

    A ValueError names what is not allowed.
    """
    try:
        given = np.array(values)
        if given.dtype.kind not in "iuf":
            raise TypeError
        array = given.astype(np.float64)
    except (TypeError, ValueError):
        raise not_allowed(name, values, f"a list of {devices} numbers") from None
    may_be_selective = subchannels > 1
    if array.shape != (devices,) and not (may_be_selective and array.shape == (devices, subchannels)):
        selective = f", or ({devices}, {subchannels}), one a device and sub-channel" if may_be_selective else ""
        raise ValueError(
            f"{name}: shape {array.shape} is not allowed; it must be ({devices},), a value a device{selective}"
        )
    bad = allowed.first_excluded(array.reshape(-1))
    if bad >= 0:
        place = ", ".join(str(index) for index in np.unravel_index(bad, array.shape))
        raise ValueError(f"{name}[{place}]: {array.flat[bad]} is not allowed; it must be {allowed.allowed}")
    return array


def at_least_one(offloads: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The candidates as they are; a ValueError where there are none."""
    if len(offloads) == 0:
        raise ValueError(f"offloads: {offloads!r} is not allowed; it must hold at least one decision")
    return offloads


def checked_offload(offload: Any, devices: int) -> NDArray[np.bool_]:
    """An offloading decision as an array; a ValueError where it is not one boolean a device."""
    chosen = np.asarray(offload)
    if chosen.shape != (devices,) or chosen.dtype != np.bool_:
        raise not_allowed("offload", offload, f"{devices} booleans, one a device")
    return chosen


PackedFrame = tuple[Floats, Floats, Floats, Floats, Floats]
"""A frame as `packed_frame` gives it."""
PackedAllocation = tuple[Bools, Floats, Floats, Floats, Ints]
"""The fields of an `Allocation`; a named tuple costs a call from Python a microsecond more."""

_FLOATS = 7  # of a cell's numbers; counts follow
_Packed = tuple[Cell, Floats, Floats]
_last: _Packed | None = None
_before: _Packed | None = None


def packed_frame(frame: Frame) -> PackedFrame:
    """A frame as plain arrays for a kernel that Python calls in every frame; they must not be changed.

    A call with a `Cell` takes 2.5 µs longer. The arrays of the last two cells are kept: frames of one cell follow each
    other, or a policy changes its weights and back, and to pack another takes 5 µs.

    Returns:
        Numbers of the cell, shape (9,), and of its devices, shape (16, devices); then the frame's channel gains, device
        by device where each has several, data queues and energy queues.
    """
    global _last, _before
    last = _last
    if last is None or last[0] is not frame.cell:
        cell, before = frame.cell, _before
        _before = last
        if before is None or before[0] is not cell:
            before = cell, np.array(cell[:NUMBERS], np.float64), np.array(cell[NUMBERS:])
        _last = last = before
    gain = frame.channel_gain
    return last[1], last[2], gain if gain.ndim == 1 else gain.reshape(-1), frame.data_queue_mbit, frame.energy_queue


def cell_of_packed(numbers: Floats, each: Floats) -> Cell:
    """The cell of a packed frame, in the same arrays."""
    counts = (int(number) for number in numbers[_FLOATS:])
    return Cell(*numbers[:_FLOATS].tolist(), *counts, *each)


@inner_kernel
def unpacked_frame(
    numbers: Floats, each: Floats, channel_gain: Floats, data_queue_mbit: Floats, energy_queue: Floats
) -> Frame:
    """A packed frame in a kernel, for as long as the kernel's caller holds the arrays."""
    own = without_refcount(each)
    cell = Cell(
        numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6], int(numbers[7]),
        int(numbers[8]),
        own[0], own[1], own[2], own[3], own[4], own[5], own[6], own[7], own[8], own[9], own[10],
        own[11], own[12], own[13], own[14], own[15],
    )  # fmt: skip
    gain, data, energy = without_refcount((channel_gain, data_queue_mbit, energy_queue))
    return Frame(cell, gain, data, energy)
