"""Policies that know the channel's statistics beforehand: the static optimum, and drift-plus-penalty started at it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quedge.errors import not_allowed
from quedge.model.frame import Decision, Frame
from quedge.model.kernels import Floats
from quedge.policy.exact import Exact
from quedge.policy.policy import decide_under

_BEYOND_QUEUES = 1e9  # V beside which queues of thousands of Mbit do not count


@dataclass(frozen=True)
class Priced:
    """A policy that has a price of data and one of energy for each device.

    Attributes:
        rate_price: q of each device, not negative.
        power_price: y of each device, not negative.
    """

    rate_price: tuple[float, ...]
    power_price: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, prices in (("rate_price", self.rate_price), ("power_price", self.power_price)):
            if not all(np.isfinite(price) and price >= 0.0 for price in prices):
                raise not_allowed(name, prices, "finite and not negative for every device")
        if len(self.rate_price) != len(self.power_price):
            raise not_allowed("power_price", self.power_price, f"{self.devices} prices, as many as rate_price has")
        if not any(self.rate_price):
            raise not_allowed("rate_price", self.rate_price, "positive for one device at least")

    @property
    def devices(self) -> int:
        """Number of devices."""
        return len(self.rate_price)

    def _prices(self, frame: Frame) -> tuple[Floats, Floats]:
        """The prices as arrays, shape (devices,).

        Raises:
            ValueError: the frame has another number of devices.
        """
        if self.devices != frame.cell.devices:
            raise not_allowed("rate_price", self.rate_price, f"one price for each of {frame.cell.devices} devices")
        return np.array(self.rate_price), np.array(self.power_price)


@dataclass(frozen=True)
class Static(Priced):
    """The static optimum: every frame is solved exactly at fixed prices of data and energy, whatever the queues.

    At the prices of the largest load (`quedge.capacity`) it carries every load that can be carried, and spends the
    budgets: a stationary policy, as Lyapunov's method compares with. The queues limit what is sent, and nothing else.

    Source: M. J. Neely, Stochastic Network Optimization with Application to Communication and Queueing Systems, 2010,
    Section 4.1.
    """

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`. Its objective is the frame's own (17); it has no bound on that."""
        rate_price, power_price = self._prices(frame)
        cell = frame.cell._replace(v=_BEYOND_QUEUES, weight=rate_price, nu=_BEYOND_QUEUES)
        return decide_under(Exact(), frame, cell, power_price, rng)


@dataclass(frozen=True)
class PlaceHolder(Priced):
    """Drift-plus-penalty with place-holder backlogs: the queues' weights start at the static optimum's prices.

    With V c in the weights, queues must grow until the weights Q + V c and ν Y stand to each other as the prices of the
    largest load do: the O(V) backlog. Here what is missing is put in beside the queues, so that no data has to wait for
    it: weights are Q + κ q and ν Y + κ y, with κ the smallest number for which κ q ≥ V c.

    Source: M. J. Neely, Stochastic Network Optimization with Application to Communication and Queueing Systems, 2010,
    Section 4.8, for place-holder bits.
    """

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`. Its objective is the frame's own (17); it has no bound on that."""
        rate_price, power_price = self._prices(frame)
        cell = frame.cell
        if cell.v == 0.0 or cell.nu == 0.0:  # nothing to place
            return Exact().decide(frame, rng)
        priced = rate_price > 0.0
        scale = float((cell.v * cell.weight[priced] / rate_price[priced]).max())
        weight = np.where(priced, scale * rate_price / cell.v, cell.weight)
        return decide_under(
            Exact(), frame, cell._replace(weight=weight), frame.energy_queue + scale * power_price / cell.nu, rng
        )
