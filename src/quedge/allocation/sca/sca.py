"""Successive convex approximation of the power allocation of a given decision: its rounds and the allocator."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.allocator import Choice
from quedge.allocation.greedy import greedy_levels
from quedge.allocation.sca.barrier import BarrierNewton, maximise_round, room_for
from quedge.allocation.sca.problem import (
    Chain,
    Round,
    RoundSolver,
    attempted,
    chain_of,
    chain_value,
    keep_limits,
    levels_of,
    linearise,
    value_in_reach,
)
from quedge.errors import not_allowed
from quedge.model.arrays import copy_into
from quedge.model.cell import check_ungrouped, refuse_partial
from quedge.model.frame import (
    Decision,
    Frame,
    PackedFrame,
    Status,
    at_least_one,
    checked_offload,
    packed_frame,
    unpacked_frame,
)
from quedge.model.kernels import Bools, Floats, kernel
from quedge.model.terms import Terms, chain_objective, frame_terms, powers_of_levels

CONVERGED, FAILED, UNDECIDED = range(3)
STATUSES = (Status.OK, Status.FALLBACK, Status.ROUNDS_SPENT)
"""A decision's status where its rounds converged, failed, and were all spent undecided."""

_SHARE_OF_GREEDY = 0.1
_SOLVER_ACCURACY = 1e-6  # a fall by more than this share of the objective is a solver's failure, unless it lies within
_ROUND_ACCURACY = 1e-8  # this share of what is at stake in the round, and
_ROUNDING = 1e-13  # this share of what the levels in reach can bring


@kernel
def share_of_greedy(terms: Terms, offload: Bools, chain: Chain, share: float) -> Floats:
    """The steps of the greedy allocation, each cut to a share of it. They are feasible."""
    level = np.empty(offload.size)
    greedy_levels(terms, offload, level)
    step = np.empty(chain.place.size)
    before = 1.0
    for k in range(step.size):
        step[k] = share * (level[chain.place[k]] - before)
        before = level[chain.place[k]]
    keep_limits(chain, step)
    return step


@kernel
def starting_point(terms: Terms, offload: Bools) -> tuple[Chain, Floats]:
    """The chain of a decision, and the steps to start from: a tenth of the greedy ones.

    The paper leaves the start open. From the greedy powers themselves the rounds more often end at a poorer point:
    whoever interferes is at a limit there, and stays (measured in docs/sca.md).
    """
    chain = chain_of(terms, offload)
    return chain, share_of_greedy(terms, offload, chain, _SHARE_OF_GREEDY)


@kernel
def at_stake(chain: Chain, step: Floats) -> float:
    """What steps gain, what they pay, and what the levels before take from each: the size of a round's terms.

    Where devices harm one another by far more than remains to them, a solver's accuracy in the round is worth more
    than the same share of the objective.
    """
    total, level = 0.0, 1.0
    for k in range(step.size):
        taken = (level - 1.0) / level
        level += step[k]
        total += chain.rate_value[k] * (step[k] / level + taken) + chain.level_price[k] * step[k]
    return total


@kernel
def judge(chain: Chain, step: Floats, value: float, found: Floats, tolerance: float) -> tuple[float, int]:
    """Takes what a round found into `step` if the true objective does not fall; the value then, and a verdict.

    The linearised objective touches the true one at the last point and lies below it elsewhere, so that a solved
    round cannot lower it but by rounding.
    """
    keep_limits(chain, found)
    reached = chain_value(chain, found)
    gain = reached - value
    rounding = _ROUNDING * value_in_reach(chain.rate_value, chain.growth, chain.step_limit)
    allowed = _SOLVER_ACCURACY * abs(value) + _ROUND_ACCURACY * at_stake(chain, found) + rounding
    if not gain >= -allowed:  # `not`: what is no number fails too
        return value, FAILED
    if gain >= 0.0:
        copy_into(step, found)
        value = reached
    return value, CONVERGED if gain <= tolerance * value else UNDECIDED


@kernel
def climb(chain: Chain, step: Floats, tolerance: float, max_rounds: int) -> tuple[int, int]:
    """All rounds by the compiled solver; improves `step` in place, returns the verdict and the rounds solved."""
    if step.size == 0:
        return CONVERGED, 0
    work = room_for(chain.split, step.size)
    price, found = np.empty(step.size), np.empty(step.size)
    value = chain_value(chain, step)
    for done in range(max_rounds):
        linearise(chain, step, price)
        problem = Round(chain.rate_value, price, chain.growth, chain.step_limit, step, chain.split)
        if not maximise_round(problem, work, found, done > 0):
            return FAILED, done
        value, verdict = judge(chain, step, value, found, tolerance)
        if verdict != UNDECIDED:
            return verdict, done + 1
    return UNDECIDED, max_rounds


@kernel
def allocate_best_sca(
    packed: PackedFrame, decisions: Bools, tolerance: float, max_rounds: int
) -> tuple[int, int, int, tuple[Bools, Floats, Floats, Floats, Floats], float]:
    """The best of several decisions of a packed frame: its place, verdict, rounds, allocation and objective."""
    frame = unpacked_frame(*packed)
    terms = frame_terms(*frame)
    devices = terms.device.size
    best, best_verdict, best_rounds, best_objective = 0, CONVERGED, 0, -np.inf
    level, best_level = np.empty(devices), np.empty(devices)
    for candidate in range(decisions.shape[0]):
        offload = decisions[candidate][terms.device]
        chain, step = starting_point(terms, offload)
        verdict, rounds = climb(chain, step, tolerance, max_rounds)
        levels_of(terms, chain, step, level)
        objective = chain_objective(terms, offload, level)
        if objective > best_objective:
            best, best_verdict, best_rounds, best_objective = candidate, verdict, rounds, objective
            copy_into(best_level, level)
    powers = powers_of_levels(terms, frame, decisions[best][terms.device], best_level)
    return best, best_verdict, best_rounds, powers, best_objective


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

    Where offloading is partial the same tangent bounds the growth of a level, and with it what an offloader gains, from
    below (`docs/sca.md`). `CvxpyClarabel` knows binary offloading only.

    Attributes:
        tolerance: stop when a round adds no more than this share to the offloaders' part of the objective.
        max_rounds: stop after this many rounds.
        solver: how the convex rounds are solved: `BarrierNewton` or `CvxpyClarabel`.

    Example:
        >>> everyone = np.array([True, True, True])
        >>> decision = quedge.NomaSca(tolerance=1e-5).allocate(frame, everyone)
        >>> print(decision.objective > quedge.NomaGreedy().allocate(frame, everyone).objective)
        True

    Source: Section V-B, eqs. (42)-(46).
    """

    tolerance: float = 1e-4
    max_rounds: int = 500
    solver: RoundSolver = BarrierNewton()

    def __post_init__(self) -> None:
        if not (self.tolerance >= 0.0 and math.isfinite(self.tolerance)):
            raise not_allowed("tolerance", self.tolerance, "finite and at least 0")
        if isinstance(self.solver, type) or not callable(getattr(self.solver, "prepared", None)):
            raise not_allowed("solver", self.solver, "one such as BarrierNewton()")
        if self.max_rounds < 1:
            raise not_allowed("max_rounds", self.max_rounds, "at least 1")

    @property
    def carries_partial(self) -> bool:
        """Whether its solver knows the rounds of partial offloading."""
        return isinstance(self.solver, BarrierNewton)

    def allocate(self, frame: Frame, offload: Any) -> Decision:
        """Powers and frequencies for a given offloading decision; see `Allocator.allocate`."""
        return self.allocate_best(frame, checked_offload(offload, frame.cell.devices)[np.newaxis]).decision

    def allocate_best(self, frame: Frame, offloads: NDArray[np.bool_]) -> Choice:
        """The best of several decisions; see `BatchAllocator.allocate_best`. The solver's time is that of them all."""
        by = f"the allocator {type(self).__name__} through {type(self.solver).__name__}"
        refuse_partial(frame.cell.is_partial > 0.0 and not self.carries_partial, by)
        check_ungrouped(frame.cell, f"with {type(self).__name__}, which allocates one group")
        offloads = at_least_one(offloads)
        if not isinstance(self.solver, BarrierNewton):  # compiled code cannot call other solvers: two loops, one judge
            return self._round_by_round(frame, offloads)
        began = time.perf_counter_ns()
        candidate, verdict, rounds, powers, objective = allocate_best_sca(
            packed_frame(frame), offloads, self.tolerance, self.max_rounds
        )
        solver_us = (time.perf_counter_ns() - began) * 1e-3
        return Choice(candidate, _decision(powers, objective, verdict, rounds, solver_us))

    def _round_by_round(self, frame: Frame, offloads: NDArray[np.bool_]) -> Choice:
        """The same with a solver that is called for each round."""
        terms = frame_terms(*frame)
        best, best_objective, all_solver_us = 0, -math.inf, 0.0
        for candidate, offload in enumerate(offloads[:, terms.device]):
            chain, step = starting_point(terms, offload)
            verdict, rounds, solver_us = self._climb(chain, step, frame.cell.devices)
            all_solver_us += solver_us
            level = np.empty(offload.size)
            levels_of(terms, chain, step, level)
            objective = chain_objective(terms, offload, level)
            if objective > best_objective:
                best, best_objective = candidate, objective
                best_verdict, best_rounds, best_level, best_offload = verdict, rounds, level, offload
        powers = powers_of_levels(terms, frame, best_offload, best_level)
        return Choice(best, _decision(powers, best_objective, best_verdict, best_rounds, all_solver_us))

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
            problem = Round(chain.rate_value, price, chain.growth, chain.step_limit, step, chain.split)
            solution = attempted(partial(solve, problem))
            solver_us += 0.0 if solution is None else solution.solver_us
            if solution is None or solution.step is None:
                return FAILED, done, solver_us
            value, verdict = judge(chain, step, value, solution.step, self.tolerance)
            if verdict != UNDECIDED:
                return verdict, done + 1, solver_us
        return UNDECIDED, self.max_rounds, solver_us


def _decision(
    powers: tuple[Bools, Floats, Floats, Floats, Floats], objective: float, verdict: int, rounds: int, solver_us: float
) -> Decision:
    notes = {"rounds": float(rounds), "solver_us": solver_us}
    return Decision(*powers, objective, status=STATUSES[verdict], notes=notes)
