"""The convex rounds by CVXPY with Clarabel, as the paper solves them."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from quedge.allocation.sca.problem import Round, RoundSolution
from quedge.errors import check_installed
from quedge.model.kernels import Floats

_ONE_AT_A_TIME = threading.Lock()
"""Held while CVXPY works. Formulated problems are shared by all threads, and CVXPY's own numbering of expressions and
Python's filters of warnings belong to the process."""


@dataclass(frozen=True)
class CvxpyClarabel:
    """CVXPY with Clarabel. The problem is formulated once for each number of devices, with parameters for the rest.

    Threads may use it together; they solve their rounds one after the other.
    """

    def prepared(self, devices: int) -> Callable[[Round], RoundSolution]:
        """A function that solves the rounds of one decision; see `RoundSolver.prepared`."""
        with _ONE_AT_A_TIME:
            formulated = _formulated(devices)

        def solve(problem: Round) -> RoundSolution:
            with _ONE_AT_A_TIME:
                return formulated.solve(problem)

        return solve


@lru_cache(maxsize=16)
def _formulated(devices: int) -> ParametrisedRound:
    return ParametrisedRound(devices)


class ParametrisedRound:
    """A round of at most `devices` offloaders; the places that are left over get no weight and lift no level.

    The unknowns are the steps q in units of what the limits can allow, so that all lie in [0, 1], and the levels in
    units of the last round's; the objective is divided by its largest coefficient. Unscaled, solvers fail on many
    frames. Levels are unknowns because a product of two expressions with parameters would have to be formulated anew
    in each round.
    """

    def __init__(self, devices: int) -> None:
        self._cvxpy = cvxpy = _imported()
        self.parameters = {
            name: cvxpy.Parameter(devices, nonneg=True, name=name)
            for name in ("rate_value", "step_price", "before", "lift", "ease", "growth")
        }
        rate_value, step_price, before, lift, ease, growth = self.parameters.values()
        self.share = cvxpy.Variable(devices, name="share")
        level = cvxpy.Variable(devices, name="level")
        level_before = cvxpy.hstack([1.0, level[:-1]]) if devices > 1 else cvxpy.Constant([1.0])
        self.problem = cvxpy.Problem(
            cvxpy.Maximize(rate_value @ cvxpy.log(level) - step_price @ self.share),  # eq. (46a)
            [
                level == cvxpy.multiply(before, level_before) + cvxpy.multiply(lift, self.share),
                self.share >= 0.0,
                self.share <= 1.0,  # eq. (46c)
                cvxpy.multiply(ease, self.share) <= cvxpy.multiply(growth, level_before),  # eq. (43)
            ],
        )

    def solve(self, problem: Round) -> RoundSolution:
        """The best steps of a round."""
        unit = _largest_steps(problem)
        level = 1.0 + np.cumsum(problem.start)
        before = np.append(1.0, level[:-1])
        growth = problem.growth * before / unit
        ease = 1.0 / np.maximum(1.0, growth)
        price = problem.step_price * unit
        largest = max(price.max(), problem.rate_value.max())
        self._set("rate_value", problem.rate_value / largest, 0.0)
        self._set("step_price", price / largest, 0.0)
        self._set("before", before / level, 1.0)
        self._set("lift", unit / level, 0.0)
        self._set("ease", ease, 1.0)
        self._set("growth", growth * ease, 1.0)
        cvxpy = self._cvxpy
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # inaccurate: the true objective will judge it
            # a warm start would keep the scaling of earlier numbers, on which some rounds fail, and is no faster
            self.problem.solve(cvxpy.CLARABEL, warm_start=False, presolve_enable=False)
        solved = self.problem.status in (cvxpy.OPTIMAL, cvxpy.OPTIMAL_INACCURATE)
        step = self.share.value[: unit.size] * unit if solved else None
        return RoundSolution(step, self.problem.solver_stats.solve_time * 1e6)

    def _set(self, name: str, values: Floats, rest: float) -> None:
        parameter = self.parameters[name]
        parameter.value = np.append(values, np.full(parameter.size - values.size, rest))


def _largest_steps(problem: Round) -> Floats:
    """The largest steps that the limits can allow."""
    largest = np.empty(problem.start.size)
    reach = 1.0
    for k in range(largest.size):
        largest[k] = min(problem.step_limit[k], problem.growth[k] * reach)
        reach += largest[k]
    return largest


def _imported() -> Any:
    for module, library in (("cvxpy", "CVXPY"), ("clarabel", "Clarabel")):
        check_installed(module, "NomaSca through CVXPY", library, "sca")
    import cvxpy

    return cvxpy
