"""What a decision may do: shapes and limits, checked of whoever decides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quedge.model.cell import Cell
from quedge.model.frame import Decision
from quedge.model.kernels import Bools, Floats, kernel

_ROUNDING = 1e-9  # relative; a power may exceed its limit by no more than this


def check_decision(cell: Cell, decision: Decision) -> None:
    """Refuse a decision of the wrong shape or beyond a limit.

    Raises:
        ValueError: naming the value and what is allowed.
    """
    check_shapes(decision, cell.devices)
    offload = np.asarray(decision.offload, dtype=np.bool_)
    in_turn = decision.time_share is not None
    share = offload if decision.time_share is None else decision.time_share
    powers = (decision.transmit_power_w, decision.cpu_frequency_hz, share)
    transmit, frequency, time_share = (np.asarray(values, dtype=np.float64) for values in powers)
    if not within_limits(
        cell.max_transmit_power_w, cell.max_frequency_hz, offload, transmit, frequency, time_share, in_turn
    ):
        refuse(cell, offload, transmit, frequency, time_share)


@kernel
def within_limits(
    max_transmit_power_w: Floats,
    max_frequency_hz: Floats,
    offload: Bools,
    transmit_power_w: Floats,
    cpu_frequency_hz: Floats,
    time_share: Floats,
    in_turn: bool,
) -> bool:
    """Whether every power, frequency and time share is a number within its limits and of the chosen mode."""
    total_share = 0.0
    for i in range(offload.size):
        p, f = transmit_power_w[i], cpu_frequency_hz[i]
        if not (0.0 <= p <= max_transmit_power_w[i] * (1.0 + _ROUNDING)):
            return False
        if not (0.0 <= f <= max_frequency_hz[i] * (1.0 + _ROUNDING)):
            return False
        if (p > 0.0 and not offload[i]) or (f > 0.0 and offload[i]):
            return False
        if not (0.0 <= time_share[i] <= offload[i] * (1.0 + _ROUNDING)):
            return False
        total_share += time_share[i]
    return total_share <= 1.0 + _ROUNDING or not in_turn


def check_shapes(decision: Decision, devices: int) -> None:
    """Refuse a decision that is not one value a device.

    Raises:
        ValueError: naming the value and what is allowed.
    """
    for name in ("offload", "transmit_power_w", "cpu_frequency_hz", "time_share"):
        if name == "time_share" and decision.time_share is None:
            continue
        shape = np.shape(getattr(decision, name))
        if shape != (devices,):
            raise ValueError(f"{name}: shape {shape} is not allowed; it must be ({devices},)")


def refuse(
    cell: Cell,
    offload: NDArray[np.bool_],
    transmit: NDArray[np.float64],
    frequency: NDArray[np.float64],
    time_share: NDArray[np.float64],
) -> None:
    """Raise the ValueError that names the first value beyond its limit."""
    for name, values, highest in (
        ("transmit_power_w", transmit, np.where(offload, cell.max_transmit_power_w, 0.0)),
        ("cpu_frequency_hz", frequency, np.where(offload, 0.0, cell.max_frequency_hz)),
        ("time_share", time_share, np.where(offload, 1.0, 0.0)),
    ):
        fine = (values >= 0.0) & (values <= highest * (1.0 + _ROUNDING))
        if not fine.all():
            i = int(np.argmin(fine))
            mode = "offloads" if offload[i] else "computes locally"
            raise ValueError(
                f"{name}[{i}]: {values[i]} is not allowed; device {i} {mode}, so it must lie from 0 to {highest[i]:g}"
            )
    raise ValueError(f"time_share: shares of {time_share.sum()} in all are not allowed; they must not exceed 1")
