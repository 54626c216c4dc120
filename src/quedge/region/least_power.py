"""The least mean power with which any policy can carry a given load, bounded from both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quedge.errors import not_allowed, one_of
from quedge.model.cell import Cell, cell_of
from quedge.model.kernels import Floats
from quedge.model.scenario import Scenario
from quedge.region.bundle import Dual, check_solvers
from quedge.region.capacity import carrying_prices
from quedge.region.sampling import Precision, Samples, draw_samples
from quedge.region.two_sided import Estimated, Progress, Region
from quedge.simulation.processes import ChannelProcess

MEASURES = ("mean", "largest")
"""What is minimised: the mean over the devices of their mean powers, or the largest of them."""

_DEFAULT = Precision()
_RATE_SHARES = np.geomspace(
    1e-2, 1e2, 9
)  # of all arrivals' worth over the budgets' power, with which the search begins


@dataclass(frozen=True)
class LeastPower:
    """The least power with which any policy can carry the scenario's arrivals; its power budgets do not count.

    Attributes:
        lower: no policy draws less (W), even if it knows the future.
        upper: a randomised stationary policy draws this (W), on the frames on which `lower` was evaluated.
        difference: upper − lower (W).
        rate_price: q, what a Mbit/s more of a device costs (W per Mbit/s); shape (devices,).
        power_share: y, the weight of a device's power in what is minimised; shape (devices,), 1 in all.
        cuts: number of prices at which a sample was solved.
        frames: number of frames on which the bounds were evaluated.
    """

    lower: Estimated
    upper: Estimated
    difference: Estimated
    rate_price: Floats
    power_share: Floats
    cuts: int
    frames: int

    @property
    def gap(self) -> float:
        """Difference of the bounds over the upper one."""
        return self.difference.value / self.upper.value if self.upper.value > 0.0 else 0.0


def least_power(
    scenario: Scenario,
    *,
    measure: str = "mean",
    channel: ChannelProcess | None = None,
    access: str = "noma",
    precision: Precision = _DEFAULT,
    progress: Progress | None = None,
) -> LeastPower:
    """Bound the least mean power with which any policy can keep the queues stable.

    For all prices q ≥ 0 of data and shares y of energy, no policy that carries the arrivals λ draws less than

        Σ q λ − E[ max over x, p, f of  Σ q r − y e ],

    where y is 1/N for the mean over the devices, and any with Σ y = 1 for the largest device's. The rest is as in
    `capacity`.

    Args:
        scenario: the cell, of which the power budgets do not count.
        measure: "mean" or "largest"; see `MEASURES`.
        channel: as in `capacity`, like all that follow.
        access: see there.
        precision: see there.
        progress: see there.

    Raises:
        ValueError: a bad argument, or a load that no policy can carry with any power; the message names it.
        MissingExtraError: SciPy or Clarabel is not installed.

    Example:
        >>> cell, quick = quedge.Scenario(devices=2), quedge.Precision(tolerance=0.01, samples=200)
        >>> found = quedge.least_power(cell, precision=quick)
        >>> print(f"at least {found.lower.value:.3f} W of {cell.power_budget_w} W")
        at least 0.004 W of 0.08 W

    Source: docs/capacity.md.
    """
    check_solvers()
    if measure not in MEASURES:
        raise not_allowed("measure", measure, one_of(MEASURES))
    load = scenario.per_device("arrival_rate_mbps")
    if not load.any():
        raise not_allowed("arrival_rate_mbps", 0.0, "positive for one device at least")
    cell = cell_of(scenario)
    drawn = draw_samples(scenario, channel, precision)
    region = Region(scenario, drawn, access, precision.tolerance, progress)
    carrying = carrying_prices(region, load, largest_powers(cell, drawn))
    n = load.size
    dual = Dual(np.append(-load, np.zeros(n)), np.append(np.zeros(n), np.ones(n)), measure == "mean")
    share = np.full(n, 1.0 / n)
    scale = scenario.mean_power_budget_w / load.sum()
    dual, tried = region.begun(dual, [np.append(np.full(n, k * scale), share) for k in _RATE_SHARES])
    start = [*carrying, *tried]
    try:
        bounds = region.judge(dual, region.search(dual, start), carrying)
    except ArithmeticError:
        raise ValueError(
            "arrival_rate_mbps: a load so close to the largest that can be carried with any power is not allowed; "
            "no mixture of policies carried it on the fresh sample"
        ) from None
    rate_price, power_share = bounds.prices[: 2 * n].reshape(2, -1)
    return LeastPower(
        Estimated(-bounds.upper.value, bounds.upper.ci95),
        Estimated(-bounds.lower.value, bounds.lower.ci95),
        bounds.difference,
        rate_price,
        power_share,
        bounds.cuts,
        region.frames,
    )


def largest_powers(cell: Cell, drawn: Samples) -> Floats:
    """Powers (W) that no device exceeds on the samples, shape (devices,)."""
    gain = max(drawn.first.max(), drawn.fresh.max())
    rate = cell.uplink_mbps * np.log2(1.0 + cell.max_transmit_power_w * gain / cell.noise_w)
    secured = np.minimum(rate, cell.max_secured_mbps) * cell.circuit_energy_j_per_mbit
    offloading = cell.max_transmit_power_w + cell.circuit_power_w + secured
    return np.asarray(cell.idle_power_w + np.maximum(offloading, cell.energy_coefficient * cell.max_frequency_hz**3))
