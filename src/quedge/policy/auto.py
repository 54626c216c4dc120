"""Another policy under weights that need no V and no ν: each device's price of energy follows what it has drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from quedge.errors import not_allowed
from quedge.model.cell import Cell
from quedge.model.frame import Decision, Frame, PackedFrame, packed_frame, unpacked_frame
from quedge.model.kernels import Floats, inner_kernel, kernel
from quedge.policy.exact import Exact
from quedge.policy.policy import Policy, check_policy, decide_under, is_learner

_STEEPEST = 9.0  # price_growth goes on in a straight line from e^9 on, so that its slope is bounded


@dataclass(frozen=True)
class Auto:
    """Short queues at the power budget without a search for V and ν, by any policy that keeps nothing.

    The policy decides the frame with Q^β as the weight of a rate, V = 0, and a price of energy that depends on how far
    the device has overdrawn its budget: by Z = Y / ν, in budgets, through `price_growth`. It rises exponentially, in
    small steps, and so hardly fluctuates once it is where the mean power is the budget's; and it needs no start, since
    every frame multiplies it. The scenario's V does not matter, nor does ν, as long as it is not 0: without an energy
    queue energy has no price.

    It keeps nothing itself: Y holds all it has to know, whoever decided the frames before. docs/auto.md derives the
    rule, with its stability.

    Attributes:
        policy: who decides the frame under the weights; it must keep nothing from frame to frame.
        queue_exponent: β of the weights; the scenario's own does not matter.
        price_step: logarithm of the factor by which a high price grows in a frame in which the device draws twice its
            budget, and shrinks in one without power.

    Example:
        >>> one, other = quedge.Scenario(devices=3), quedge.Scenario(devices=3, v=500.0)
        >>> runs = [quedge.simulate(cell, quedge.Auto(), frames=100) for cell in (one, other)]
        >>> print((runs[0].offload == runs[1].offload).all())  # V does not matter
        True

    Source: ours.
    """

    policy: Policy = Exact()
    queue_exponent: float = 0.4
    price_step: float = 0.025

    def __post_init__(self) -> None:
        check_policy(self.policy)
        if is_learner(self.policy) or isinstance(self.policy, Auto):
            raise not_allowed("policy", self.policy, "a policy that keeps nothing from frame to frame, such as Exact()")
        for name, low, high in (("queue_exponent", 0.1, 2.0), ("price_step", 1e-6, 1.0)):
            if not low <= getattr(self, name) <= high:
                raise not_allowed(name, getattr(self, name), f"at least {low:g} and at most {high:g}")

    @property
    def carries_partial(self) -> bool:
        """Whether its policy decides where offloading is partial."""
        return bool(getattr(self.policy, "carries_partial", True))

    @property
    def assigns_subchannels(self) -> bool:
        """Whether its policy does; see `check_carries`."""
        return bool(getattr(self.policy, "assigns_subchannels", False))

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`. Its objective is the frame's own (17); it has no bound on that."""
        price = energy_prices(packed_frame(frame), self.price_step)
        return decide_under(self.policy, frame, _weighted(frame.cell, self.queue_exponent), price, rng)

    def instead(self, policy: Policy) -> Auto:
        """Another policy under the same weights: under the frame's own, energy queues as long as here stop a cell."""
        return replace(self, policy=policy)


_last: tuple[Cell, float, Cell] | None = None


def _weighted(cell: Cell, queue_exponent: float) -> Cell:
    """The cell with other weights; the last one is kept, since frames of one cell follow each other."""
    global _last
    last = _last
    if last is None or last[0] is not cell or last[1] != queue_exponent:
        _last = last = cell, queue_exponent, cell._replace(v=0.0, nu=1.0, queue_exponent=queue_exponent)
    return last[2]


@kernel
def energy_prices(packed: PackedFrame, price_step: float) -> Floats:
    """What a Watt of each device costs in a packed frame (Mbit²/s/W), shape (devices,)."""
    frame = unpacked_frame(*packed)
    cell, energy_queue = frame.cell, frame.energy_queue
    price = np.zeros(energy_queue.size)
    if cell.nu > 0.0:
        for i in range(price.size):
            overdrawn = energy_queue[i] / cell.nu / cell.power_budget_w[i]  # Z / γ, in frames
            price[i] = price_unit(cell, i) * price_growth(price_step * overdrawn)
    return price


@inner_kernel
def price_unit(cell: Cell, i: int) -> float:
    """The price in whose size prices are counted: at a weight of 1 Mbit, what a Watt is worth near the budget.

    To the last Watt local computing owes a third of the rate to power that it has on the average, f / φ to κ f³. Where
    the CPU is slow, the uplink at one bit/s/Hz stands for it.
    """
    budget = cell.power_budget_w[i]
    frequency = min((budget / cell.energy_coefficient[i]) ** (1.0 / 3.0), cell.max_frequency_hz[i])
    rate = max(frequency / cell.cycles_per_mbit[i], cell.uplink_mbps[i])
    return float(cell.frame_s * rate / (3.0 * budget))


@inner_kernel
def price_growth(overdrawn: float) -> float:
    """e^x − 1, beyond a bound its tangent: it is 0 at 0, rises ever faster, and its slope is bounded."""
    steep = min(overdrawn, _STEEPEST)
    return math.expm1(steep) + math.exp(steep) * (overdrawn - steep)
