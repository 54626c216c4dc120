"""The convex rounds by CVXPY with Clarabel, as the paper solves them."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from quedge.allocation.sca.clarabel_direct import imported_clarabel
from quedge.allocation.sca.problem import Answer, Round, attempted
from quedge.errors import MissingExtraError
from quedge.model.kernels import Floats

_ONE_AT_A_TIME = threading.Lock()
"""Held while CVXPY works. Formulated problems are shared by all threads, and CVXPY's own numbering of expressions and
Python's filters of warnings belong to the process."""


@dataclass(frozen=True)
class CvxpyClarabel:
    """CVXPY with Clarabel. The problem is formulated once for each number of devices, with parameters for the rest.

    Threads may use it together; they solve their rounds one after the other.
    """

    def prepared(self, devices: int) -> Callable[[Round], Answer]:
        """A function that solves the rounds of one decision; see `RoundSolver.prepared`."""
        with _ONE_AT_A_TIME:
            formulated = _formulated(devices)

        def solve(problem: Round) -> Answer:
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

    def solve(self, problem: Round) -> Answer:
        """The best steps of a round."""
        unit = _most(problem)
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
        answer = attempted(lambda: self._solved(unit, warm_start=True))
        if answer is None or answer.step is None:  # its scaling is still that of the numbers it was set up with
            answer = self._solved(unit, warm_start=False)
        return answer

    def _solved(self, unit: Floats, warm_start: bool) -> Answer:
        cvxpy = self._cvxpy
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # inaccurate: the true objective will judge it
            options = {"presolve_enable": False}
            data, chain, inverse = self.problem.get_problem_data(cvxpy.CLARABEL, solver_opts=options)
            began = time.perf_counter_ns()  # Clarabel's own clock adds up from one warm start to the next
            answer = chain.solve_via_data(self.problem, data, warm_start, False, options)
            solver_us = (time.perf_counter_ns() - began) * 1e-3
            self.problem.unpack_results(answer, chain, inverse)
        if self.problem.status not in (cvxpy.OPTIMAL, cvxpy.OPTIMAL_INACCURATE):
            return Answer(None, solver_us)
        return Answer(self.share.value[: unit.size] * unit, solver_us)

    def _set(self, name: str, values: Floats, rest: float) -> None:
        parameter = self.parameters[name]
        parameter.value = np.append(values, np.full(parameter.size - values.size, rest))


def _most(problem: Round) -> Floats:
    """The largest steps that the limits can allow."""
    most = np.empty(problem.start.size)
    reach = 1.0
    for k in range(most.size):
        most[k] = min(problem.step_limit[k], problem.growth[k] * reach)
        reach += most[k]
    return most


def _imported() -> Any:
    try:
        import cvxpy
    except ImportError:
        raise MissingExtraError("NomaSca through CVXPY", "CVXPY", "sca") from None
    imported_clarabel("NomaSca through CVXPY")
    return cvxpy
