"""Myopic baselines: the most weighted rate of each frame within a power budget, whatever the queues are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.frame_budget import objective_of, rate_terms, within_budget
from quedge.errors import not_allowed
from quedge.model.frame import Decision, Frame, PackedFrame, packed_frame, unpacked_frame
from quedge.model.kernels import Bools, Floats, kernel
from quedge.model.terms import powers_of_levels
from quedge.policy.exact.exact import solve_chain

_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Myopic:
    """Maximises each frame's weighted rate Σ c r under e ≤ γ in that very frame; r T ≤ Q, and no queue weighs anything.

    Solved with the exact policy's method, to a gap of 1e-3. A device whose circuit alone draws more than its budget
    computes locally. Where security costs energy per bit, an offloader sends with the power that it could afford
    without interference; its budget is then not always used up.

    Source: the myopic benchmark of LyDROO (Bi, Huang, Wang, Zhang, IEEE TWC 20(11), 2021), with the budget of the frame
    alone; `MyopicSaving` is the benchmark itself.
    """

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`."""
        return _within(frame, frame.cell.power_budget_w)


@dataclass(frozen=True)
class MyopicSaving:
    """As `Myopic`, but what a device did not use of its budget it may use later: Σ e over all frames so far ≤ t γ.

    It needs to know what it has drawn, so each run has an agent of its own, which remembers that and learns nothing.

    Source: the myopic benchmark of LyDROO (Bi, Huang, Wang, Zhang, IEEE TWC 20(11), 2021).
    """

    learns: ClassVar[bool] = False

    def new_agent(self, devices: int, rng: np.random.Generator) -> SavingAgent:
        """An agent that has saved nothing yet; see `Learner.new_agent`."""
        return SavingAgent(devices)


class SavingAgent:
    """Decides as `MyopicSaving` and keeps the accounts: by its own decisions, whatever the world makes of them."""

    def __init__(self, devices: int) -> None:
        """An agent that has saved nothing.

        Args:
            devices: number of devices; it never changes.
        """
        self._saved_w: NDArray[np.float64] = np.zeros(devices)  # Σ (γ − e) of all frames so far

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`.

        Raises:
            ValueError: the number of devices has changed.
        """
        if frame.cell.devices != self._saved_w.size:
            raise not_allowed("devices", frame.cell.devices, f"{self._saved_w.size}, as in the run's first frame")
        allowed = self._saved_w + frame.cell.power_budget_w
        decision = _within(frame, allowed)
        self._saved_w = np.maximum(allowed - decision.power_w, 0.0)
        return decision


def _within(frame: Frame, budget_w: NDArray[np.float64]) -> Decision:
    """The decision of the most weighted rate within a budget (W), shape (devices,)."""
    powers, objective = _most_rate(packed_frame(frame), budget_w)
    return Decision(*powers, objective)


@kernel
def _most_rate(packed: PackedFrame, budget_w: Floats) -> tuple[tuple[Bools, Floats, Floats, Floats, Floats], float]:
    frame = unpacked_frame(*packed)
    limited = within_budget(frame, budget_w)
    terms = rate_terms(limited)
    offload, level, _, _ = solve_chain(terms, _TOLERANCE)
    for k in range(offload.size):
        i = terms.device[k]
        if frame.cell.circuit_power_w[i] > budget_w[i]:  # it could send nothing, and has left the level as it was
            offload[k] = False
    return objective_of(frame, powers_of_levels(terms, limited, offload, level))
