"""The convex rounds by Clarabel, called directly: exponential cones, sparse matrices, no modelling layer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from quedge.allocation.sca.problem import Answer, Round
from quedge.errors import MissingExtraError
from quedge.model.kernels import Floats

_SOLVED = ("Solved", "AlmostSolved")


@dataclass(frozen=True)
class DirectClarabel:
    """The interior-point solver Clarabel on the conic form of a round, which it is handed as sparse matrices.

    The solver is set up in a decision's first round; the others only replace its numbers.
    """

    def prepared(self, devices: int) -> Callable[[Round], Answer]:
        """A function that solves the rounds of one decision; see `RoundSolver.prepared`."""
        del devices  # a round tells
        imported_clarabel("NomaSca through Clarabel")
        form: ConicForm | None = None

        def solve(problem: Round) -> Answer:
            nonlocal form
            if form is None or form.size != problem.start.size:
                form = ConicForm(problem.start.size)
            return form.solve(problem)

        return solve


class ConicForm:
    """A round as: minimise objective · x, with bound − matrix x in a product of cones.

    The unknowns are the levels in units of the last round's, s_k = scale_k v_k, then t_k ≤ ln v_k. Rows, each in
    units of its own level: q_k ≥ 0, q_k ≤ σ_k and q_k ≤ r_k s_{k−1} for every device, and (t_k, 1, v_k) in the
    exponential cone.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        every = np.arange(size)
        cone = 3 * (size + every)
        limits = [(row * size + every, every, row * size + every[1:], every[:-1]) for row in range(3)]
        rows = [part for own, _, other, _ in limits for part in (own, other)]
        columns = [part for _, own, _, other in limits for part in (own, other)]
        self._rows = np.concatenate([*rows, cone, cone + 2])
        self._columns = np.concatenate([*columns, size + every, every])
        self._order = np.lexsort((self._rows, self._columns))  # as a sparse matrix keeps its values
        self._solver: Any = None

    def solve(self, problem: Round) -> Answer:
        """The best steps of a round."""
        scale = 1.0 + np.cumsum(problem.start)
        objective, values, bound = self._numbers(problem, scale)
        began = time.perf_counter_ns()
        found = None
        if self._solver is not None:
            self._solver.update(q=objective, A=values, b=bound)
            found = self._solver.solve()
        if found is None or str(found.status) not in _SOLVED:  # its scaling is that of the numbers it was set up with
            self._solver = self._set_up(objective, values, bound)
            found = self._solver.solve()
        solver_us = (time.perf_counter_ns() - began) * 1e-3
        if str(found.status) not in _SOLVED:
            return Answer(None, solver_us)
        level = np.array(found.x[: self.size]) * scale
        return Answer(np.diff(level, prepend=1.0), solver_us)

    def _numbers(self, problem: Round, scale: Floats) -> tuple[Floats, Floats, Floats]:
        """Objective, values of the matrix in its order, and bounds."""
        size, one = self.size, np.ones(self.size)
        before = np.append(1.0, scale[:-1]) / scale  # the level before, in units of the level
        grown = before * (1.0 + problem.growth)
        values = np.concatenate([-one, before[1:], one, -before[1:], one, -grown[1:], -one, -one])
        bound = np.zeros(6 * size)
        bound[size : 2 * size] = problem.step_limit / scale
        bound[[0, size, 2 * size]] += (-before[0], before[0], grown[0])  # the first level before is the noise's
        bound[3 * size + 1 :: 3] = 1.0
        price = (problem.step_price - np.append(problem.step_price[1:], 0.0)) * scale
        objective = np.concatenate([price, -problem.rate_value])
        return objective / np.abs(objective).max(), values[self._order], bound

    def _set_up(self, objective: Floats, values: Floats, bound: Floats) -> Any:
        clarabel = imported_clarabel("NomaSca through Clarabel")
        from scipy.sparse import csc_array

        shape = 6 * self.size, 2 * self.size
        starts = np.searchsorted(self._columns[self._order], np.arange(shape[1] + 1))
        matrix = csc_array((values, self._rows[self._order], starts), shape=shape)
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        settings.presolve_enable = False  # it would change the structure, and forbid new numbers
        cones = [clarabel.NonnegativeConeT(3 * self.size), *(clarabel.ExponentialConeT() for _ in range(self.size))]
        return clarabel.DefaultSolver(csc_array((shape[1], shape[1])), objective, matrix, bound, cones, settings)


def imported_clarabel(what: str) -> Any:
    """The library.

    Raises:
        MissingExtraError: it is not installed, and `what` needs it.
    """
    try:
        import clarabel  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError(what, "Clarabel", "sca") from None
    return clarabel
