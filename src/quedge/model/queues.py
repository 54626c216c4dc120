"""Data queues and virtual energy queues from one frame to the next."""

from __future__ import annotations

from quedge.model.cell import Cell
from quedge.model.compiled import Floats, inner_kernel


@inner_kernel
def advance_queues(
    cell: Cell,
    data_queue_mbit: Floats,
    energy_queue: Floats,
    rate_mbps: Floats,
    power_w: Floats,
    arrival_mbit: Floats,
) -> None:
    """Advance both queues by one frame, in place.

    Q(t+1) = Q − r T + A and Y(t+1) = max(Y + ν (e − γ), 0), with e the frame's mean power and ν the cell's, which
    goes with √T; and so does Y.

    Args:
        cell: constants of the cell.
        data_queue_mbit: data queues Q (Mbit), shape (devices,); overwritten.
        energy_queue: virtual energy queues Y, shape (devices,); overwritten.
        rate_mbps: rate r of each device, r T ≤ Q (Mbit/s).
        power_w: mean power e of each device over the frame (W).
        arrival_mbit: data that arrived during the frame (Mbit).

    Source: Section III; causality keeps Q from falling below zero.
    """
    for i in range(data_queue_mbit.size):
        left = data_queue_mbit[i] - rate_mbps[i] * cell.frame_s
        data_queue_mbit[i] = max(left, 0.0) + arrival_mbit[i]
        over_budget = cell.nu * (power_w[i] - cell.power_budget_w[i])
        energy_queue[i] = max(energy_queue[i] + over_budget, 0.0)
