"""Time division: the allocator, and the best of several decisions in one compiled call."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.allocator import Choice, at_least_one, checked_offload
from quedge.allocation.tdma.bids import frame_bids
from quedge.allocation.tdma.shares import share_frame
from quedge.model.cell import Cell
from quedge.model.compiled import Bools, Floats, kernel
from quedge.model.frame import Decision, Frame, Status
from quedge.model.terms import best_local_frequency, frame_terms
from quedge.model.uplink import charge


@kernel
def allocate_in_turn(
    cell: Cell, channel_gain: Floats, data_queue_mbit: Floats, energy_queue: Floats, decisions: Bools
) -> tuple[int, tuple[Bools, Floats, Floats, Floats, Floats], Floats, float, float, bool]:
    """The best of several decisions by time division.

    Returns:
        Its place; offload, transmit power (W), CPU frequency (Hz), rate (Mbit/s) and power (W) in the frame's own
        order; its time shares; its objective (17); its price of time; and whether that price was found.
    """
    n = channel_gain.size
    terms = frame_terms(cell, channel_gain, data_queue_mbit, energy_queue)
    bids = frame_bids(cell, terms, data_queue_mbit)
    share, efficiency = np.empty(n), np.empty(n)
    best, best_objective, best_price, best_found = 0, -math.inf, 0.0, False
    best_share, best_efficiency = np.zeros(n), np.zeros(n)
    for candidate in range(decisions.shape[0]):
        objective, price, found = share_frame(terms, bids, decisions[candidate][terms.device], share, efficiency)
        if objective > best_objective:
            best, best_objective, best_price, best_found = candidate, objective, price, found
            best_share[:], best_efficiency[:] = share, efficiency
    offload = decisions[best].copy()
    transmit, frequency, time_share = np.zeros(n), np.zeros(n), np.zeros(n)
    for k in range(n):
        i = terms.device[k]
        if offload[i]:
            time_share[i] = best_share[k]
            power = math.expm1(best_efficiency[k]) * cell.noise_w / channel_gain[i]
            transmit[i] = min(power, cell.max_transmit_power_w[i])
        else:
            frequency[i] = best_local_frequency(
                data_queue_mbit[i] + cell.v * cell.weight[i], cell.nu * energy_queue[i], data_queue_mbit[i],
                cell.frame_s, cell.cycles_per_mbit[i], cell.energy_coefficient[i], cell.max_frequency_hz[i],
            )  # fmt: skip
    rate, drawn = charge(cell, channel_gain, data_queue_mbit, offload, transmit, frequency, time_share)
    return best, (offload, transmit, frequency, rate, drawn), time_share, best_objective, best_price, best_found


@dataclass(frozen=True)
class Tdma:
    """Time division: each offloader transmits alone, in a share of the frame, at the best shares and powers.

    The exact optimum for a given decision, as long as nobody is left below the overhead of key exchange and framing
    (docs/pqc.md). An offloader pays its circuit power whatever its share. Of the decision's notes, `time_price` is what
    the objective (17) would gain per unit of further time.

    Source: LyDROO, the access scheme that the paper compares with.
    """

    def allocate(self, frame: Frame, offload: Any) -> Decision:
        """Shares, powers and frequencies for a given offloading decision; see `Allocator.allocate`."""
        return self.allocate_best(frame, checked_offload(offload, frame.cell.devices)[np.newaxis]).decision

    def allocate_best(self, frame: Frame, offloads: NDArray[np.bool_]) -> Choice:
        """The best of several decisions; see `BatchAllocator.allocate_best`."""
        candidate, chosen, time_share, objective, price, found = allocate_in_turn(*frame, at_least_one(offloads))
        status = Status.OK if found else Status.ROUNDS_SPENT
        notes = {"time_price": price}
        return Choice(candidate, Decision(*chosen, objective, None, status, time_share, notes))
