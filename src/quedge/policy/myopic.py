"""Myopic baselines: the most weighted rate of each frame within a power budget, whatever the queues are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.frame_budget import objective_of, rate_terms, within_budget
from quedge.errors import not_allowed
from quedge.model.frame import Frame, PackedFrame, unpacked_frame
from quedge.model.kernels import Bools, Floats, kernel
from quedge.model.terms import powers_of_levels
from quedge.policy.compiled import Compiled, tell
from quedge.policy.exact.exact import solve_chain

_TOLERANCE = 1e-3


@kernel
def _most_rate(frame: Frame, budget_w: Floats, offload: Bools, powers: Floats, told: Floats) -> None:
    """The decision of the most weighted rate within a budget (W), shape (devices,)."""
    limited = within_budget(frame, budget_w)
    terms = rate_terms(limited)
    chosen, level, _, _ = solve_chain(terms, _TOLERANCE)
    for k in range(chosen.size):
        i = terms.device[k]
        circuit_w = frame.cell.circuit_power_w[i] + frame.cell.idle_power_w[i]
        if circuit_w > budget_w[i]:  # it could send nothing, and has left the level as it was
            chosen[k] = False
    decided, objective = objective_of(frame, powers_of_levels(terms, limited, chosen, level))
    tell(decided, objective, offload, powers, told)


@kernel
def _spend(packed: PackedFrame, own: Floats, drawn: Floats, offload: Bools, powers: Floats, told: Floats) -> None:
    frame = unpacked_frame(*packed)
    _most_rate(frame, frame.cell.power_budget_w, offload, powers, told)


@kernel
def _save(packed: PackedFrame, own: Floats, drawn: Floats, offload: Bools, powers: Floats, told: Floats) -> None:
    """Its own numbers are what each device has saved (W times frames)."""
    frame = unpacked_frame(*packed)
    allowed = own + frame.cell.power_budget_w
    _most_rate(frame, allowed, offload, powers, told)
    for i in range(own.size):
        own[i] = max(allowed[i] - powers[3, i], 0.0)


@dataclass(frozen=True)
class Myopic(Compiled):
    """Maximises each frame's weighted rate Σ c r under e ≤ γ in that very frame; r T ≤ Q, and no queue weighs anything.

    Solved with the exact policy's method, to a gap of 1e-3. A device whose circuit alone draws more than its budget
    computes locally. Where security costs energy per bit, an offloader sends with the power that it could afford
    without interference; its budget is then not always used up.

    Example:
        >>> decision = quedge.Myopic().decide(frame, rng)
        >>> print(decision.offload, decision.power_w.round(4), frame.cell.power_budget_w)
        [ True  True False] [0.0705 0.0595 0.08  ] [0.08 0.08 0.08]

    Source: the myopic benchmark of LyDROO (Bi, Huang, Wang, Zhang, IEEE TWC 20(11), 2021), with the budget of the frame
    alone; `MyopicSaving` is the benchmark itself.
    """

    kernel: ClassVar = _spend
    carries_partial: ClassVar = False


@dataclass(frozen=True)
class MyopicSaving:
    """As `Myopic`, but what a device did not use of its budget it may use later: Σ e over all frames so far ≤ t γ.

    It needs to know what it has drawn, so each run has an agent of its own, which remembers that and learns nothing.

    Example:
        >>> run = quedge.simulate(quedge.Scenario(devices=3), quedge.MyopicSaving(), frames=50)
        >>> print(run.power_w.max() > 0.08, (run.power_w.mean(axis=0) <= 0.08).all())
        True True

    Source: the myopic benchmark of LyDROO (Bi, Huang, Wang, Zhang, IEEE TWC 20(11), 2021).
    """

    learns: ClassVar[bool] = False
    carries_partial: ClassVar[bool] = False

    def new_agent(self, devices: int, rng: np.random.Generator) -> SavingAgent:
        """An agent that has saved nothing yet; see `Learner.new_agent`."""
        return SavingAgent(devices)


class SavingAgent(Compiled):
    """Decides as `MyopicSaving` and keeps the accounts: by its own decisions, whatever the world makes of them."""

    kernel: ClassVar = _save
    carries_partial: ClassVar = False

    def __init__(self, devices: int) -> None:
        """An agent that has saved nothing.

        Args:
            devices: number of devices; it never changes.
        """
        self._saved_w: NDArray[np.float64] = np.zeros(devices)  # Σ (γ − e) of all frames so far

    def own_numbers(self, devices: int) -> Floats:
        """What it has saved; see `Compiled.own_numbers`.

        Raises:
            ValueError: the number of devices has changed.
        """
        if devices != self._saved_w.size:
            raise not_allowed("devices", devices, f"{self._saved_w.size}, as in the run's first frame")
        return self._saved_w
