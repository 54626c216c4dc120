"""The objective of a frame, which allocators maximise, policies rank by and experiments report."""

from __future__ import annotations

from quedge.model.cell import Cell
from quedge.model.compiled import Floats, inner_kernel


@inner_kernel
def frame_objective(
    cell: Cell, data_queue_mbit: Floats, energy_queue: Floats, rate_mbps: Floats, power_w: Floats
) -> float:
    """Σ (Q + V c) r − ν Y e, in Mbit²/s: the part of the drift-plus-penalty bound that a decision moves.

    The factor ν on Y is not printed in the paper; with it, and only with it, the stationary values of
    Tables III and IV come out.

    Source: problem (17).
    """
    total = 0.0
    for i in range(rate_mbps.size):
        value = data_queue_mbit[i] + cell.v * cell.weight[i]
        total += value * rate_mbps[i] - cell.nu * energy_queue[i] * power_w[i]
    return total
