"""What a decision may do: shapes and limits, checked of whoever decides."""

from __future__ import annotations

import numpy as np

from quedge.model.cell import Cell
from quedge.model.frame import Allocation, Decision
from quedge.model.kernels import Bools, Floats, kernel

_ROUNDING = 1e-9  # relative; a power may exceed its limit by no more than this


def check_decision(cell: Cell, decision: Decision) -> None:
    """Refuse a decision of the wrong shape or beyond a limit.

    Raises:
        ValueError: naming the value and what is allowed.
    """
    check_shapes(decision, cell.devices)
    offload, *powers = decision.allocation
    transmit, frequency, share = (np.asarray(values, dtype=np.float64) for values in powers)
    check_allocation(cell, Allocation(np.asarray(offload, dtype=np.bool_), transmit, frequency, share))


def check_shapes(decision: Decision, devices: int) -> None:
    """Refuse a decision that is not one value a device.

    Raises:
        ValueError: naming the value and what is allowed.
    """
    for name in ("offload", "transmit_power_w", "cpu_frequency_hz", "time_share"):
        values = getattr(decision, name)
        if np.shape(values) != (devices,) and not (name == "time_share" and values is None):
            raise ValueError(f"{name}: shape {np.shape(values)} is not allowed; it must be ({devices},)")


def check_allocation(cell: Cell, allocation: Allocation) -> None:
    """Refuse an allocation of which a power, frequency or time share is beyond its limit or of the other mode.

    Raises:
        ValueError: naming the first such value and what is allowed.
    """
    if _is_within_limits(cell.max_transmit_power_w, cell.max_frequency_hz, *allocation):
        return
    offload, transmit, frequency, time_share = allocation
    for name, values, highest in (
        ("transmit_power_w", transmit, np.where(offload, cell.max_transmit_power_w, 0.0)),
        ("cpu_frequency_hz", frequency, np.where(offload, 0.0, cell.max_frequency_hz)),
        ("time_share", time_share, np.where(offload, 1.0, 0.0)),
    ):
        fine = (values >= 0.0) & (values <= highest[: values.size] * (1.0 + _ROUNDING))
        if not fine.all():
            i = int(np.argmin(fine))
            mode = "offloads" if offload[i] else "computes locally"
            raise ValueError(
                f"{name}[{i}]: {values[i]} is not allowed; device {i} {mode}, so it must lie from 0 to {highest[i]:g}"
            )
    raise ValueError(f"time_share: shares of {time_share.sum()} in all are not allowed; they must not exceed 1")


@kernel
def _is_within_limits(
    max_transmit_power_w: Floats,
    max_frequency_hz: Floats,
    offload: Bools,
    transmit_power_w: Floats,
    cpu_frequency_hz: Floats,
    time_share: Floats,
) -> bool:
    """Whether `check_allocation` has nothing to refuse."""
    total_share = 0.0
    for i in range(offload.size):
        p, f = transmit_power_w[i], cpu_frequency_hz[i]
        if not (0.0 <= p <= max_transmit_power_w[i] * (1.0 + _ROUNDING)):
            return False
        if not (0.0 <= f <= max_frequency_hz[i] * (1.0 + _ROUNDING)):
            return False
        if (p > 0.0 and not offload[i]) or (f > 0.0 and offload[i]):
            return False
        if time_share.size > 0:
            if not (0.0 <= time_share[i] <= offload[i] * (1.0 + _ROUNDING)):
                return False
            total_share += time_share[i]
    return total_share <= 1.0 + _ROUNDING
