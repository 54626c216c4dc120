"""What a frame is worth at fixed prices of data and energy: the support function of the region of rates and powers.

Whatever a policy does, knowing the future or not, its mean rates r and powers e lie in a convex region. The region's
support function at prices q of data and y of energy is the mean over the channel of

    max over x, p, f of  Σ q_i r_i − y_i e_i,

problem (17) with a = q, b = y and no limit from a queue. It is bounded from above and reached from below, frame by
frame.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed, one_of
from quedge.model.cell import Cell
from quedge.model.frame import Frame, packed_frame, unpacked_frame
from quedge.model.kernels import Floats, unlocked_kernel
from quedge.model.uplink import best_local_frequency, local_outcome
from quedge.policy.exact.exact import solve_frame
from quedge.region.time_division import best_by_time_division

ACCESS = ("noma", "tdma", "none")
"""How devices share the uplink: all at once, one after the other, or not at all (local computing only)."""

_NO_TIME = float(np.finfo(np.float64).tiny)  # length (s) of a frame in which no queue is ever emptied
_FRAMES_PER_TASK = 256  # fixed, so that sums do not depend on the number of cores


class Cut(NamedTuple):
    """What the best decisions at some prices bring on a sample of frames.

    Attributes:
        prices: q of each device, then y; shape (2 devices,).
        rate_mbps: mean rates r (Mbit/s), shape (devices,).
        power_w: mean powers e (W), shape (devices,).
        bound: of each frame, an upper bound on what any decision is worth at these prices; shape (frames,).
    """

    prices: Floats
    rate_mbps: Floats
    power_w: Floats
    bound: Floats

    @property
    def direction(self) -> Floats:
        """r, then −e: the gradient of the support function, shape (2 devices,)."""
        return np.concatenate((self.rate_mbps, -self.power_w))


class Support:
    """The support function of the region on a sample of channel gains; it is evaluated on all cores."""

    def __init__(self, cell: Cell, channel_gain: NDArray[np.float64], access: str, tolerance: float) -> None:
        """Prepare the evaluation.

        Args:
            cell: constants of the cell.
            channel_gain: power gains (W/W), shape (frames, devices).
            access: one of `ACCESS`.
            tolerance: relative distance between a NOMA frame's bound and its decision.

        Raises:
            ValueError: an unknown access.
        """
        if access not in ACCESS:
            raise not_allowed("access", access, one_of(ACCESS))
        unlimited = cell._replace(v=0.0, nu=1.0, frame_s=_NO_TIME, queue_exponent=1.0)
        anything = np.zeros(cell.devices)
        self._packed = packed_frame(Frame(unlimited, anything, anything, anything))[:2]
        self._gain = np.ascontiguousarray(channel_gain)
        self._solve: Callable[..., None] = {"noma": _solve_noma, "tdma": _solve_tdma, "none": _solve_local}[access]
        self._tolerance = tolerance

    def __call__(self, prices: Floats) -> Cut:
        """The best decisions at prices q and y, shape (2 devices,)."""
        frames, devices = self._gain.shape
        starts = range(0, frames, _FRAMES_PER_TASK)
        total = np.zeros((len(starts), 2, devices))
        bound = np.empty(frames)
        split = prices[:devices].copy(), prices[devices:].copy()

        def solve(task: int) -> None:
            part = slice(starts[task], starts[task] + _FRAMES_PER_TASK)
            rate, power = total[task]
            self._solve(self._packed, self._gain[part], split, self._tolerance, (rate, power, bound[part]))

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(solve, range(len(starts))))
        rate_mbps, power_w = total.sum(axis=0) / frames
        return Cut(prices, rate_mbps, power_w, bound)


_PackedCell = tuple[Floats, Floats]  # of a `PackedFrame`
_Prices = tuple[Floats, Floats]  # of data and of energy
_Found = tuple[Floats, Floats, Floats]  # sums of rates and of powers, and the bound of each frame


@unlocked_kernel
def _solve_noma(cell: _PackedCell, channel_gain: Floats, prices: _Prices, tolerance: float, found: _Found) -> None:
    """Add up rates and powers of the best decisions by NOMA, and fill in the bound of each frame."""
    rate_mbps, power_w, bound = found
    for t in range(channel_gain.shape[0]):
        powers, _, bound[t] = solve_frame((cell[0], cell[1], channel_gain[t], prices[0], prices[1]), tolerance)
        rate_mbps += powers[3]
        power_w += powers[4]


@unlocked_kernel
def _solve_tdma(cell: _PackedCell, channel_gain: Floats, prices: _Prices, tolerance: float, found: _Found) -> None:
    """As `_solve_noma`, by time division."""
    rate_mbps, power_w, bound = found
    for t in range(channel_gain.shape[0]):
        frame = unpacked_frame(cell[0], cell[1], channel_gain[t], prices[0], prices[1])
        bound[t] = best_by_time_division(frame, rate_mbps, power_w)


@unlocked_kernel
def _solve_local(cell: _PackedCell, channel_gain: Floats, prices: _Prices, tolerance: float, found: _Found) -> None:
    """As `_solve_noma`, without an uplink: all frames are the same."""
    rate_mbps, power_w, bound = found
    data_price, energy_price = prices
    own = unpacked_frame(cell[0], cell[1], channel_gain[0], data_price, energy_price).cell
    worth = 0.0
    for i in range(data_price.size):
        frequency = best_local_frequency(own, i, data_price[i], energy_price[i])
        rate, power = local_outcome(own, i, frequency, data_price[i])
        worth += data_price[i] * rate - energy_price[i] * power
        rate_mbps[i] += rate * bound.size
        power_w[i] += power * bound.size
    bound[:] = worth
