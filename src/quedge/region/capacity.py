"""The largest load that any policy can carry within its power budgets, bounded from above and reached from below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed
from quedge.model.kernels import Floats
from quedge.model.scenario import Scenario
from quedge.region.bundle import Dual, check_solvers
from quedge.region.sampling import Precision, draw_samples
from quedge.region.two_sided import Estimated, Progress, Region
from quedge.simulation.processes import ChannelProcess

_ENERGY_SHARES = np.geomspace(1e-3, 10.0, 9)  # of a budget in the whole worth, with which the search begins
_DEFAULT = Precision()
_BINDING = 1e-3  # share of a device in the whole worth from which on its rate or budget is said to bind


@dataclass(frozen=True)
class Capacity:
    """The largest load that any policy can carry with stable queues within the power budgets.

    Attributes:
        upper: no policy carries more than this multiple of the direction's rates, even if it knows the future.
        lower: a randomised stationary policy carries this multiple, on the frames on which `upper` was evaluated.
        difference: upper − lower.
        direction_mbps: the direction's rates λ (Mbit/s); shape (devices,), like all that follow up to `power_binds`.
        rate_price: q, what the multiple loses by a Mbit/s that a device must carry beside.
        power_price: y, what the multiple gains by a Watt more in a device's budget.
        rate_binds: whether a device's rate limits the load.
        power_binds: whether a device's budget does.
        server_price: μ, what the multiple gains by each hundredth more of the edge server's cycles, times a hundred;
            None where the server takes no time.
        cuts: number of prices at which a sample was solved.
        frames: number of frames on which the bounds were evaluated.
    """

    upper: Estimated
    lower: Estimated
    difference: Estimated
    direction_mbps: Floats
    rate_price: Floats
    power_price: Floats
    rate_binds: NDArray[np.bool_]
    power_binds: NDArray[np.bool_]
    server_price: float | None
    cuts: int
    frames: int

    @property
    def mean_rate_mbps(self) -> float:
        """Mean over the devices of the direction's rates (Mbit/s): the load at a multiple is this times it."""
        return float(self.direction_mbps.mean())

    @property
    def gap(self) -> float:
        """Difference of the bounds over the upper one."""
        return self.difference.value / self.upper.value if self.upper.value > 0.0 else 0.0


def capacity(
    scenario: Scenario,
    *,
    channel: ChannelProcess | None = None,
    direction: Sequence[float] | None = None,
    access: str = "noma",
    precision: Precision = _DEFAULT,
    progress: Progress | None = None,
) -> Capacity:
    """Bound the largest load that any policy can carry, from both sides.

    The load grows in a direction: that of the scenario's arrival rates, unless other rates λ are given. For all prices
    q ≥ 0 of data with Σ q λ = 1, and y ≥ 0 of energy, no policy keeps its queues stable within the budgets γ above

        E[ max over x, p, f of  Σ q r − y e ] + Σ y γ

    times λ; the maximum is problem (17) without limits from the queues. A finite edge server adds a price of its cycles
    (docs/capacity.md). Prices that make this small are found on a
    sample of channels, and judged on a fresh one; the solutions at several prices, mixed, are the lower bound's policy.

    Channel estimates and cancellation count as perfect: the bounds are those of policies that know the truth.

    Args:
        scenario: the cell.
        channel: where channel gains come from; by default the stationary distribution of the scenario's fading. Of a
            recording all frames count, alike, and the bounds hold for it exactly.
        direction: rates λ (Mbit/s), one a device, not negative, of which one is positive.
        access: how devices share the uplink: "noma", "tdma", or "none" for local computing only.
        precision: how precisely the bounds are found.
        progress: called with the sample, the number of cuts, and the bounds so far.

    Raises:
        ValueError: a bad argument, or a scenario with batteries or results to download; the message names it.
        MissingExtraError: SciPy or Clarabel is not installed.

    Example:
        >>> cell, quick = quedge.Scenario(devices=2), quedge.Precision(tolerance=0.01, samples=200)
        >>> found = quedge.capacity(cell, precision=quick)
        >>> print(f"from {found.lower.value:.1f} to {found.upper.value:.1f} times {found.direction_mbps} Mbit/s")
        from 2.5 to 2.5 times [3. 3.] Mbit/s

    Source: docs/capacity.md; M. J. Neely, Stochastic Network Optimization, 2010, Section 4.1, for the region.
    """
    check_solvers()
    load = checked_direction(scenario, direction)
    drawn = draw_samples(scenario, channel, precision)
    region = Region(scenario, drawn, access, precision.tolerance, progress)
    budget = scenario.per_device("power_budget_w")
    dual, start = region.begun(*load_dual(load, budget))
    bounds = region.judge(dual, region.search(dual, start), start[:1])
    n = load.size
    rate_price, power_price, server_price = bounds.prices[:n], bounds.prices[n : 2 * n], bounds.prices[2 * n :]
    return Capacity(
        bounds.upper,
        bounds.lower,
        bounds.difference,
        load,
        rate_price,
        power_price,
        rate_price * load > _BINDING,
        power_price * budget > _BINDING * bounds.upper.value,
        float(server_price[0]) if region.has_server else None,
        bounds.cuts,
        region.frames,
    )


def load_dual(load: Floats, budget_w: Floats) -> tuple[Dual, list[Floats]]:
    """The dual of the largest multiple of a load, and prices with which the search begins.

    The first prices make every device rest. With what rests, and what does not, some mixture keeps any budget.

    Args:
        load: rates (Mbit/s), shape (devices,).
        budget_w: power budgets (W), shape (devices,).
    """
    n = load.size
    dual = Dual(np.append(np.zeros(n), budget_w), np.append(load, np.zeros(n)))
    rest = np.append(np.zeros(n), np.ones(n))
    return dual, [rest, *(dual.projected(np.append(np.ones(n) / load.sum(), k / n / budget_w)) for k in _ENERGY_SHARES)]


def carrying_prices(region: Region, load: Floats, budget_w: Floats) -> list[Floats]:
    """Prices whose policies, mixed, carry more than a load within budgets; arguments as in `load_dual`.

    Raises:
        ValueError: no policy does.
    """
    dual, start = region.begun(*load_dual(load, budget_w))
    found = region.search(dual, start)
    if found.mixture.value <= 1.0:
        most = dual.value(found.best) * load.mean()
        raise not_allowed(
            "arrival_rate_mbps", float(load.mean()), f"below {most:.4g} Mbit/s in the mean: no policy carries more"
        )
    return [cut.prices for cut in found.active]


def checked_direction(scenario: Scenario, direction: Sequence[float] | None) -> Floats:
    """The rates in whose direction a load grows, shape (devices,).

    Raises:
        ValueError: a wrong length, a negative rate, or none that is positive.
    """
    if direction is None:
        rates, name = scenario.per_device("arrival_rate_mbps"), "arrival_rate_mbps"
    else:
        rates, name = np.asarray(direction, dtype=np.float64), "direction"
    if rates.shape != (scenario.devices,):
        raise not_allowed(name, direction, f"a list of {scenario.devices} rates, one a device")
    if not (np.isfinite(rates).all() and (rates >= 0.0).all() and rates.any()):
        raise not_allowed(name, rates.tolist(), "finite, not negative, and positive for one device at least")
    return rates
