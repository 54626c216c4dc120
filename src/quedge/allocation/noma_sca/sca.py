"""Successive convex approximation of the power allocation of a given decision."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.allocator import Choice, at_least_one, checked_offload
from quedge.allocation.noma_sca.barrier import BarrierNewton
from quedge.allocation.noma_sca.problem import (
    Chain,
    Round,
    RoundSolver,
    attempted,
    chain_value,
    levels_of,
    linearise,
)
from quedge.allocation.noma_sca.rounds import (
    CONVERGED,
    FAILED,
    STATUSES,
    UNDECIDED,
    allocate_best_sca,
    begin,
    judge,
)
from quedge.model.compiled import Floats
from quedge.model.frame import Decision, Frame
from quedge.model.terms import chain_objective, frame_terms
from quedge.model.uplink import powers_of_levels


@dataclass(frozen=True)
class NomaSca:
    """Successive convex approximation: the paper's benchmark for the powers of a given decision.

    The objective (17) of the offloaders is a difference of concave functions. Each round replaces the subtracted one
    by its tangent at the last point, which gives a concave lower bound of the objective that touches it there, and
    maximises that. So the objective never falls, and the rounds approach a Karush-Kuhn-Tucker point of problem (19),
    which need not be the best one.

    The decision's notes give the number of `rounds` and the time inside the solver, `solver_us`: where the rounds are
    compiled, that of the whole compiled call. Its status is `rounds_spent` if the rounds ended before they converged
    and `fallback` if the solver failed or raised; it is feasible, and no worse than the starting point, all the same.

    Attributes:
        tolerance: stop when a round adds no more than this share to the offloaders' part of the objective.
        max_rounds: stop after this many rounds.
        solver: how the convex rounds are solved: `BarrierNewton`, `DirectClarabel` or `CvxpyClarabel`.

    Source: Section V-B, eqs. (42)-(46).
    """

    tolerance: float = 1e-4
    max_rounds: int = 500
    solver: RoundSolver = BarrierNewton()

    def __post_init__(self) -> None:
        if not (self.tolerance >= 0.0 and math.isfinite(self.tolerance)):
            raise ValueError(f"tolerance: {self.tolerance!r} is not allowed; it must be finite and at least 0")
        if isinstance(self.solver, type) or not callable(getattr(self.solver, "prepared", None)):
            raise ValueError(f"solver: {self.solver!r} is not allowed; it must be one such as BarrierNewton()")
        if self.max_rounds < 1:
            raise ValueError(f"max_rounds: {self.max_rounds!r} is not allowed; it must be at least 1")

    def allocate(self, frame: Frame, offload: Any) -> Decision:
        """Powers and frequencies for a given offloading decision; see `Allocator.allocate`."""
        return self.allocate_best(frame, checked_offload(offload, frame.cell.devices)[np.newaxis]).decision

    def allocate_best(self, frame: Frame, offloads: NDArray[np.bool_]) -> Choice:
        """The best of several decisions; see `BatchAllocator.allocate_best`. The solver's time is that of them all."""
        offloads = at_least_one(offloads)
        if not isinstance(self.solver, BarrierNewton):  # compiled code cannot call other solvers: two loops, one judge
            return self._round_by_round(frame, offloads)
        began = time.perf_counter_ns()
        candidate, verdict, rounds, decision = allocate_best_sca(*frame, offloads, self.tolerance, self.max_rounds)
        solver_us = (time.perf_counter_ns() - began) * 1e-3
        return Choice(candidate, _told(decision, verdict, rounds, solver_us))

    def _round_by_round(self, frame: Frame, offloads: NDArray[np.bool_]) -> Choice:
        """The same with a solver that is called for each round."""
        terms = frame_terms(*frame)
        best, best_objective, all_solver_us = 0, -math.inf, 0.0
        for candidate, offload in enumerate(offloads[:, terms.device]):
            chain, step = begin(terms, offload)
            verdict, rounds, solver_us = self._climb(chain, step, frame.cell.devices)
            all_solver_us += solver_us
            level = np.empty(offload.size)
            levels_of(terms, chain, step, level)
            objective = chain_objective(terms, offload, level)
            if objective > best_objective:
                best, best_objective = candidate, objective
                best_verdict, best_rounds, best_level, best_offload = verdict, rounds, level, offload
        powers = powers_of_levels(terms, *frame, best_offload, best_level)
        return Choice(best, _told((*powers, best_objective), best_verdict, best_rounds, all_solver_us))

    def _climb(self, chain: Chain, step: Floats, devices: int) -> tuple[int, int, float]:
        """As the kernel `climb`, with the time inside the solver (microseconds) last."""
        if step.size == 0:
            return CONVERGED, 0, 0.0
        solve = attempted(partial(self.solver.prepared, devices))
        if solve is None:
            return FAILED, 0, 0.0
        value, solver_us = chain_value(chain, step), 0.0
        for done in range(self.max_rounds):
            price = np.empty(step.size)
            linearise(chain, step, price)
            problem = Round(chain.rate_value, price, chain.growth, chain.step_limit, step)
            answer = attempted(partial(solve, problem))
            solver_us += 0.0 if answer is None else answer.solver_us
            if answer is None or answer.step is None:
                return FAILED, done, solver_us
            value, verdict = judge(chain, step, value, answer.step, self.tolerance)
            if verdict != UNDECIDED:
                return verdict, done + 1, solver_us
        return UNDECIDED, self.max_rounds, solver_us


def _told(decision: tuple[Any, ...], verdict: int, rounds: int, solver_us: float) -> Decision:
    notes = {"rounds": float(rounds), "solver_us": solver_us}
    return Decision(*decision)._replace(status=STATUSES[verdict], notes=notes)
