"""What a frame is worth at fixed prices of data and energy: the support function of the region of rates and powers.

Whatever a policy does, knowing the future or not, its mean rates r and powers e lie in a convex region. The region's
support function at prices q of data and y of energy is the mean over the channel of

    max over x, p, f of  Σ q_i r_i − y_i e_i,

problem (17) with a = q, b = y and no limit from a queue. It is bounded from above and reached from below, frame by
frame. A finite edge server adds one more mean, the share z of its cycles that offloaded data takes, and its price μ:
an offloaded Mbit/s of device i is then worth q_i less μ times its share of the server.
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
_NO_SERVER = np.empty(0)
_FRAMES_PER_TASK = 256  # fixed, so that sums do not depend on the number of cores


class Cut(NamedTuple):
    """What the best decisions at some prices bring on a sample of frames.

    Attributes:
        prices: q of each device, then y, shape (2 devices,); then μ, if the edge server is finite.
        rate_mbps: mean rates r (Mbit/s), shape (devices,).
        power_w: mean powers e (W), shape (devices,).
        server_share: mean share of the edge server's cycles, shape (1,); of size 0 where it is infinite.
        bound: of each frame, an upper bound on what any decision is worth at these prices; shape (frames,).
    """

    prices: Floats
    rate_mbps: Floats
    power_w: Floats
    server_share: Floats
    bound: Floats

    @property
    def direction(self) -> Floats:
        """r, −e and −z: the gradient of the support function, of the shape of the prices."""
        return np.concatenate((self.rate_mbps, -self.power_w, -self.server_share))


class Support:
    """The support function of the region on a sample of channel gains; it is evaluated on all cores."""

    def __init__(
        self,
        cell: Cell,
        channel_gain: NDArray[np.float64],
        access: str,
        tolerance: float,
        server_load: Floats = _NO_SERVER,
    ) -> None:
        """Prepare the evaluation.

        Args:
            cell: constants of the cell.
            channel_gain: power gains (W/W), shape (frames, devices).
            access: one of `ACCESS`.
            tolerance: relative distance between a NOMA frame's bound and its decision.
            server_load: share of the edge server that an offloaded Mbit/s of each device takes, shape (devices,); of
                size 0 where it is infinite.

        Raises:
            ValueError: an unknown access.
        """
        if access not in ACCESS:
            raise not_allowed("access", access, one_of(ACCESS))
        self._unlimited = cell._replace(v=0.0, nu=1.0, frame_s=_NO_TIME, queue_exponent=1.0)
        self._server_load = server_load
        self._gain = np.ascontiguousarray(channel_gain)
        self._solve: Callable[..., None] = {"noma": _solve_noma, "tdma": _solve_tdma, "none": _solve_local}[access]
        self._tolerance = tolerance

    def __call__(self, prices: Floats) -> Cut:
        """The best decisions at prices, as `Cut` has them."""
        frames, devices = self._gain.shape
        cell, anything = self._unlimited, np.zeros(devices)
        if self._server_load.size > 0:
            cell = cell._replace(server_weight=prices[-1] * self._server_load)
        packed = packed_frame(Frame(cell, anything, anything, anything))[:2]
        starts = range(0, frames, _FRAMES_PER_TASK)
        total = np.zeros((len(starts), 3, devices))
        bound = np.empty(frames)
        split = prices[:devices].copy(), prices[devices : 2 * devices].copy()

        def solve(task: int) -> None:
            part = slice(starts[task], starts[task] + _FRAMES_PER_TASK)
            self._solve(packed, self._gain[part], split, self._tolerance, (*total[task], bound[part]))

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(solve, range(len(starts))))
        rate_mbps, power_w, offloaded = total.sum(axis=0) / frames
        server_share = np.array([self._server_load @ offloaded]) if self._server_load.size > 0 else _NO_SERVER
        return Cut(prices, rate_mbps, power_w, server_share, bound)


_PackedCell = tuple[Floats, Floats]  # of a `PackedFrame`
_Prices = tuple[Floats, Floats]  # of data and of energy
_Found = tuple[Floats, Floats, Floats, Floats]  # sums of rates, powers and offloaded rates, and each frame's bound


@unlocked_kernel
def _solve_noma(cell: _PackedCell, channel_gain: Floats, prices: _Prices, tolerance: float, found: _Found) -> None:
    """Add up rates and powers of the best decisions by NOMA, and fill in the bound of each frame."""
    rate_mbps, power_w, offloaded_mbps, bound = found
    for t in range(channel_gain.shape[0]):
        powers, _, bound[t] = solve_frame((cell[0], cell[1], channel_gain[t], prices[0], prices[1]), tolerance)
        rate_mbps += powers[3]
        power_w += powers[4]
        for i in range(rate_mbps.size):
            if powers[0][i]:
                offloaded_mbps[i] += powers[3][i]


@unlocked_kernel
def _solve_tdma(cell: _PackedCell, channel_gain: Floats, prices: _Prices, tolerance: float, found: _Found) -> None:
    """As `_solve_noma`, by time division."""
    rate_mbps, power_w, offloaded_mbps, bound = found
    for t in range(channel_gain.shape[0]):
        frame = unpacked_frame(cell[0], cell[1], channel_gain[t], prices[0], prices[1])
        bound[t] = best_by_time_division(frame, rate_mbps, power_w, offloaded_mbps)


@unlocked_kernel
def _solve_local(cell: _PackedCell, channel_gain: Floats, prices: _Prices, tolerance: float, found: _Found) -> None:
    """As `_solve_noma`, without an uplink: all frames are the same."""
    rate_mbps, power_w, _, bound = found
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
