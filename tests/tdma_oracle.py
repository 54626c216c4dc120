"""What time division is measured by: a general convex solver, and a bound from above at any price of time.

Plain NumPy from the equations, sharing no code with the package's own solution.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quedge.model.frame import Frame
from tests import oracle


class Sender(NamedTuple):
    """One offloader's part of (17), from the equations alone; `nats` are per second and Hz."""

    worth_of_nats: float
    price_per_w: float
    gain_to_noise: float
    max_power_w: float
    load: float  # nats that empty the queue

    @classmethod
    def of(cls, frame: Frame, i: int) -> Sender:
        cell = frame.cell
        value, price = oracle.rate_weights(frame)[i], cell.nu * frame.energy_queue[i]
        secured = max(value - price * cell.circuit_energy_j_per_mbit[i], 0.0)
        return cls(
            secured * cell.uplink_mbps[i] / np.log(2.0),
            price,
            frame.channel_gain[i] / cell.noise_w,
            cell.max_transmit_power_w[i],
            oracle.most_bits(frame)[i] * np.log(2.0),
        )


def fixed_part(frame: Frame, offload: np.ndarray) -> float:
    """What the local devices bring and what the circuits of the offloaders cost, whatever the shares."""
    frequency = np.where(offload, 0.0, oracle.best_frequencies(frame))
    none = np.zeros(offload.size)
    return oracle.evaluate(frame, offload, none, frequency, none).objective


def least_cost_of_a_nat(sender: Sender, time_price: float) -> float:
    """The least of (time_price + b p) / ln(1 + p g) over all powers, by golden sections of ln p."""
    low, high = np.log(sender.max_power_w) - 120.0, np.log(sender.max_power_w)

    def cost(log_power: float) -> float:
        power = np.exp(log_power)
        return float((time_price + sender.price_per_w * power) / np.log1p(power * sender.gain_to_noise))

    best = min(cost(low), cost(high), cost(min(high, 0.0)))
    for _ in range(180):
        left, right = high - 0.618034 * (high - low), low + 0.618034 * (high - low)
        at_left, at_right = cost(left), cost(right)
        best = min(best, at_left, at_right)
        low, high = (low, right) if at_left <= at_right else (left, high)
    return best


def dual_bound(frame: Frame, offload: np.ndarray, time_price: float) -> float:
    """At any price of time, no shares and powers reach more than this."""
    bound = fixed_part(frame, offload) + time_price
    for i in np.flatnonzero(offload):
        sender = Sender.of(frame, i)
        if sender.load > 0.0 and sender.max_power_w > 0.0:
            bound += sender.load * max(sender.worth_of_nats - least_cost_of_a_nat(sender, time_price), 0.0)
    return float(bound)


def solved_by_cones(frame: Frame, offload: np.ndarray) -> float:
    """The objective by a general convex solver on exponential cones; energies in units of P_max."""
    import cvxpy  # an extra of the package, and slow to import

    senders = [Sender.of(frame, i) for i in np.flatnonzero(offload)]
    worth, price, gain, power, load = (np.array(column) for column in zip(*senders, strict=True))
    share, energy, nats = (cvxpy.Variable(len(senders), nonneg=True) for _ in range(3))
    limits = [
        nats <= -cvxpy.rel_entr(share, share + cvxpy.multiply(gain * power, energy)),
        nats <= load,
        energy <= share,
        cvxpy.sum(share) <= 1.0,
    ]
    problem = cvxpy.Problem(cvxpy.Maximize(worth @ nats - (price * power) @ energy), limits)
    accuracy = {"tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}
    return float(problem.solve(solver="CLARABEL", **accuracy)) + fixed_part(frame, offload)
