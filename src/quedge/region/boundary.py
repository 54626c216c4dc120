"""The edge of the capacity region between two groups of devices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from quedge.errors import not_allowed
from quedge.model.kernels import Floats
from quedge.model.scenario import Scenario
from quedge.region.bundle import Dual, check_solvers
from quedge.region.capacity import carrying_prices, load_dual
from quedge.region.sampling import Precision, draw_samples
from quedge.region.two_sided import Estimated, Progress, Region
from quedge.simulation.processes import ChannelProcess

_DEFAULT = Precision()


class EdgePoint(NamedTuple):
    """A point of the edge.

    Attributes:
        direction: mean rates of both groups, as a unit vector.
        upper: no policy carries more in this direction: distance from the origin (Mbit/s).
        lower: a policy carries this.
    """

    direction: tuple[float, float]
    upper: Estimated
    lower: Estimated

    def rates(self, bound: Estimated) -> tuple[float, float]:
        """Mean rates of both groups' devices (Mbit/s) at a bound."""
        return self.direction[0] * bound.value, self.direction[1] * bound.value


def capacity_boundary(
    scenario: Scenario,
    groups: tuple[Sequence[int], Sequence[int]],
    *,
    points: int = 9,
    channel: ChannelProcess | None = None,
    access: str = "noma",
    precision: Precision = _DEFAULT,
    progress: Progress | None = None,
) -> list[EdgePoint]:
    """Bound the largest rates of two groups of devices, from one group alone to the other alone.

    Within a group devices share its rate in proportion to their arrival rates; all others carry their arrival rates.

    Args:
        scenario: the cell.
        groups: the devices' numbers, from 0 on, of both groups.
        points: number of directions, at least 2.
        channel: as in `capacity`, like all that follow.
        access: see there.
        precision: see there.
        progress: see there.

    Returns:
        The points, from the first group alone to the second alone.

    Raises:
        ValueError: a bad argument, or arrivals of the other devices that no policy can carry; the message names it.
        MissingExtraError: SciPy or Clarabel is not installed.

    Example:
        >>> cell, quick = quedge.Scenario(devices=2), quedge.Precision(tolerance=0.01, samples=200)
        >>> for point in quedge.capacity_boundary(cell, ([0], [1]), points=3, precision=quick):
        ...     print([f"{rate:.0f}" for rate in point.rates(point.upper)])
        ...
        ['14', '0']
        ['7', '7']
        ['0', '8']
    """
    check_solvers()
    arrivals = scenario.per_device("arrival_rate_mbps")
    shares = [_shares(group, name, arrivals) for group, name in zip(groups, ("first", "second"), strict=True)]
    both = sorted({*groups[0]} & {*groups[1]})
    if both:
        raise not_allowed("groups", both, "each device in one group at most")
    if points < 2:
        raise not_allowed("points", points, "an integer, at least 2")
    others = arrivals.copy()
    others[[*groups[0], *groups[1]]] = 0.0
    region = Region(
        scenario,
        draw_samples(scenario, channel, precision),
        access,
        precision.tolerance,
        progress,
    )
    budget = scenario.per_device("power_budget_w")
    kept = carrying_prices(region, others, budget) if others.any() else []
    edge: list[EdgePoint] = []
    for first, second in _directions(points):
        direction = first * shares[0] + second * shares[1]
        dual, start = load_dual(direction, budget)
        dual, start = region.begun(Dual(np.append(-others, budget), dual.normal), start)
        if edge:  # all cuts of the search before are known
            start, kept = [], []
        else:
            kept = [start[0], *kept]
        bounds = region.judge(dual, region.search(dual, start), kept)
        edge.append(EdgePoint((first, second), bounds.upper, bounds.lower))
    return edge


def _directions(points: int) -> list[tuple[float, float]]:
    """Unit vectors from one axis to the other, both of them exactly."""
    angles = (0.5 * math.pi * k / (points - 1) for k in range(1, points - 1))
    return [(1.0, 0.0), *((math.cos(angle), math.sin(angle)) for angle in angles), (0.0, 1.0)]


def _shares(group: Sequence[int], name: str, arrivals: Floats) -> Floats:
    """Rates of a group's devices whose mean over the group is 1 Mbit/s, in proportion to their arrivals.

    Raises:
        ValueError: an unknown device, or a group without arrivals.
    """
    chosen = np.zeros(arrivals.size)
    for device in group:
        if not 0 <= device < arrivals.size:
            raise not_allowed(f"groups: {name}", device, f"a device's number, from 0 to {arrivals.size - 1}")
        chosen[device] = arrivals[device]
    if not chosen.any():
        raise not_allowed(f"groups: {name}", list(group), "devices with arrivals")
    return np.asarray(chosen * (len(group) / chosen.sum()))
