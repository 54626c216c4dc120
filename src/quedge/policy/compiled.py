"""Policies whose decision is one call of a kernel: from Python, or for frame after frame without it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numba.core import types

from quedge.errors import not_allowed
from quedge.model.arrays import copy_into
from quedge.model.cell import refuse_partial
from quedge.model.frame import Decision, Frame, Status, packed_frame
from quedge.model.kernels import Bools, Floats, address_of, call_at, inner_kernel, unlocked_kernel
from quedge.policy.policy import check_serves

NO_NUMBERS = np.empty(0)
OBJECTIVE, UPPER_BOUND, STATUS, NOTES = 0, 1, 2, 3
"""Places in what a kernel tells of its decision: NaN is no bound, a status is its place in `STATUSES`, notes follow."""
STATUSES = tuple(Status)
OK, GAP_OPEN = STATUSES.index(Status.OK), STATUSES.index(Status.GAP_OPEN)

_types: Any = types  # not all of it is typed
_floats, _table = types.float64[::1], types.float64[:, ::1]
_packed = _types.Tuple((_floats, _table, _floats, _floats, _floats))
_SIGNATURE = types.none(_packed, _floats, _floats, types.boolean[::1], _table, _floats)


class Compiled:
    """A policy whose decisions a kernel makes, by NOMA.

    The kernel is given, and fills in:

        packed: the frame, as `packed_frame` gives it.
        own: the policy's `own_numbers`.
        drawn: as many random numbers from 0 to 1 as `random_numbers` says.
        offload: to fill in; who offloads, shape (devices,).
        powers: to fill in; transmit power (W), CPU frequency (Hz), rate (Mbit/s) and power (W), shape (4, devices).
        told: to fill in; what a `Decision` has beside, in the places above.

    Where there are several sub-channels, `powers` has a fifth row: the number of each device's, or `LOCAL`.
    """

    kernel: ClassVar[Callable[..., None]]
    note_names: ClassVar[tuple[str, ...]] = ()
    carries_partial: ClassVar[bool] = True

    @classmethod
    def kernel_for(cls, devices: int, is_partial: bool = False) -> Callable[..., None]:
        """The kernel that decides frames of so many devices, where offloading is partial, or binary."""
        return cls.kernel

    def own_numbers(self, devices: int) -> Floats:
        """What the kernel is to know besides the frame: settings, or what it remembers and changes."""
        return NO_NUMBERS

    def random_numbers(self, devices: int) -> int:
        """How many random numbers a decision takes."""
        return 0

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`.

        Raises:
            ValueError: the policy carries no partial offloading, or assigns no sub-channels, and the cell has them.
        """
        is_partial, is_divided = frame.cell.is_partial > 0.0, frame.cell.subchannels > 1
        if is_partial:
            refuse_partial(not self.carries_partial, f"the policy {type(self).__name__}")
        if frame.cell.is_grouped:
            check_serves(self, frame.cell)
        devices = frame.data_queue_mbit.size
        count = self.random_numbers(devices)
        drawn = rng.random(count) if count else NO_NUMBERS
        offload, powers = np.empty(devices, np.bool_), np.empty((5 if is_divided else 4, devices))
        told = np.empty(NOTES + len(self.note_names))
        decide = self.kernel_for(devices, is_partial)
        decide(packed_frame(frame), self.own_numbers(devices), drawn, offload, powers, told)
        objective, bound, status, *notes = told.tolist()
        transmit, frequency, rate, power = powers[:4]
        upper_bound = bound if bound == bound else None
        decision = Decision(offload, transmit, frequency, rate, power, objective, upper_bound, STATUSES[int(status)])
        if is_divided:
            decision = decision._replace(subchannel=powers[4].astype(np.int64))
        return decision._replace(notes=dict(zip(self.note_names, notes, strict=True))) if notes else decision


def kernel_address(policy: Any, devices: int = 1, is_partial: bool = False) -> int:
    """Where a policy's kernel for such frames lies, for `call_at`; 0 where Python must ask the policy itself."""
    if getattr(type(policy), "decide", None) is not Compiled.decide:
        return 0
    return address_of(policy.kernel_for(devices, is_partial), _SIGNATURE)


@unlocked_kernel
def fill_told(
    address: int,
    own: Floats,
    cell: tuple[Floats, Floats],
    states: tuple[Floats, Floats, Floats],
    place: int,
    found: Floats,
) -> None:
    """Fill in one of the numbers that a kernel without random numbers, and with one note at most, tells of each frame.

    Args:
        address: as `kernel_address` gives it.
        own: the policy's own numbers.
        cell: numbers of the cell as in a `PackedFrame`, and of its devices, shape (frames, 16, devices), or
            (1, 16, devices) where they are the same in every frame.
        states: channel gains, shape (frames, devices) or (frames, devices · sub-channels); data queues and energy
            queues, each of shape (frames, devices).
        place: of the number among those told: `OBJECTIVE`, `UPPER_BOUND`.
        found: filled in; shape (frames,).
    """
    gain, data, energy = states
    devices = data.shape[1]
    drawn, offload, powers, told = np.empty(0), np.empty(devices, np.bool_), np.empty((5, devices)), np.empty(NOTES + 1)
    numbers, each = cell
    for t in range(found.size):
        packed = numbers, each[min(t, each.shape[0] - 1)], gain[t], data[t], energy[t]
        asked = packed, own, drawn, offload, powers, told
        call_at(address, asked)  # type: ignore[call-arg]  # numba itself passes the context
        found[t] = told[place]


@functools.cache
def own_settings(*settings: float) -> Floats:
    """Settings as the numbers of a kernel, which does not change them."""
    return np.array(settings, dtype=np.float64)


@inner_kernel
def tell(
    decided: tuple[Bools, Floats, Floats, Floats, Floats],
    objective: float,
    offload: Bools,
    powers: Floats,
    told: Floats,
) -> None:
    """Fill in a decision as `powers_of_levels` gives it, without a bound."""
    copy_into(offload, decided[0])
    for i in range(offload.size):
        powers[0, i], powers[1, i], powers[2, i], powers[3, i] = (
            decided[1][i],
            decided[2][i],
            decided[3][i],
            decided[4][i],
        )
    told[OBJECTIVE], told[UPPER_BOUND], told[STATUS] = objective, np.nan, OK


@inner_kernel
def tell_bound(upper_bound: float, objective: float, tolerance: float, told: Floats) -> None:
    """Fill in a bound, and the status that follows from its relative distance to the objective."""
    told[UPPER_BOUND] = upper_bound
    if not upper_bound - objective <= tolerance * objective:
        told[STATUS] = GAP_OPEN


def check_tolerance(tolerance: float) -> None:
    """Refuse what is no relative distance at which a frame counts as solved.

    Raises:
        ValueError: naming it.
    """
    if not 1e-9 <= tolerance < 1.0:
        raise not_allowed("tolerance", tolerance, "at least 1e-9 and below 1")
