"""A level bundle method: it minimises a convex function of the prices that is known by its cuts.

With S the support function of the region (`region.support`), load and power problems have duals of one form:

    minimise F(z) = S(z) + l · z    over z = (q, y) ≥ 0 with n · z = 1,

and with z = (q, y, μ) where the edge server is finite.

Each evaluation of S gives a cut, S(z') ≥ (r, −e) · z' for all z', which is at the same time what a policy brings: the
one that decides every frame at the prices z. The least value of the cuts' maximum is a linear program. Its dual's
weights mix those policies into one that reaches that value, so the value is a lower bound of F and is reached; F at
any prices is the upper one. The next prices are the nearest to the best ones at which the cuts fall half of the way
down to their least value: a quadratic program.

Source: C. Lemaréchal, A. Nemirovskii, Y. Nesterov, New variants of bundle methods, Mathematical Programming 69, 1995.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from quedge.errors import check_installed
from quedge.model.kernels import Floats
from quedge.region.support import Cut, Support

_LEVEL = 0.5  # share of the way from the least value of the cuts to the best value of F
_SERVER_SCALE = 1e-2  # of the edge server's price where that is less; of all rates' worth it is 1
_SMALLEST_SCALE = 1e-9  # of a price, relative to the largest one of its kind, in distances


class Dual(NamedTuple):
    """Which function of the prices is minimised, and over which prices.

    Attributes:
        offset: l, of the shape of the prices, like n.
        normal: n, not negative.
        one_energy_price: whether all devices have the same price of energy.
    """

    offset: Floats
    normal: Floats
    one_energy_price: bool = False

    def projected(self, prices: Floats) -> Floats:
        """Prices that are allowed, from any that are nearly so."""
        allowed = np.maximum(prices, 0.0)
        if self.one_energy_price:
            half = allowed.size // 2
            allowed[half : 2 * half] = allowed[half : 2 * half].mean()
        return np.asarray(allowed / (self.normal @ allowed))

    def value(self, cut: Cut) -> float:
        """F at the prices of a cut, from above."""
        return float(cut.bound.mean() + self.offset @ cut.prices)

    def allowed(self, cuts: Sequence[Cut]) -> list[Cut]:
        """Those cuts whose prices are allowed, in some unit, in that unit: S(c z) = c S(z)."""
        found = []
        for cut in cuts:
            half = cut.prices.size // 2
            unit, energy = self.normal @ cut.prices, cut.prices[half : 2 * half]
            if unit > 0.0 and not (self.one_energy_price and (energy != energy[0]).any()):
                found.append(cut._replace(prices=cut.prices / unit, bound=cut.bound / unit))
        return found

    def equalities(self) -> tuple[Floats, Floats]:
        """The matrix and the right side of the equations that prices obey."""
        rows = [self.normal]
        half = self.normal.size // 2
        if self.one_energy_price:
            for i in range(half + 1, 2 * half):
                row = np.zeros(self.normal.size)
                row[half], row[i] = 1.0, -1.0
                rows.append(row)
        return np.array(rows), np.append(1.0, np.zeros(len(rows) - 1))

    def with_server(self) -> Dual:
        """The same with a price of the edge server, all of whose cycles can be used."""
        return self._replace(offset=np.append(self.offset, 1.0), normal=np.append(self.normal, 0.0))


class Mixture(NamedTuple):
    """The least value of the cuts' maximum.

    Attributes:
        value: a lower bound of F on the sample, which mixing the cuts' policies reaches.
        weights: with which probability each cut's policy decides a frame, shape (cuts,).
        prices: where the cuts have that value.
    """

    value: float
    weights: Floats
    prices: Floats


class Minimum(NamedTuple):
    """What `minimise` found.

    Attributes:
        best: the cut with the least value of F.
        mixture: of all cuts.
        cuts: all of them.
    """

    best: Cut
    mixture: Mixture
    cuts: Sequence[Cut]

    @property
    def active(self) -> list[Cut]:
        """The cuts whose policies take part in the mixture."""
        return [cut for cut, weight in zip(self.cuts, self.mixture.weights, strict=True) if weight > 0.0]


def check_solvers() -> None:
    """Refuse to begin without the solvers of the linear and the quadratic program.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    check_installed("scipy", "the capacity region", "SciPy", "capacity")
    check_installed("clarabel", "the capacity region", "Clarabel", "capacity")


def minimise(
    support: Support,
    dual: Dual,
    start: Sequence[Floats],
    tolerance: float,
    max_cuts: int,
    known: Sequence[Cut] = (),
    progress: Callable[[int, float, float], None] | None = None,
) -> Minimum:
    """Minimise F until its bounds are close.

    Args:
        support: gives the cuts.
        dual: gives F.
        start: prices that are tried first.
        tolerance: relative distance of the bounds at which to stop.
        max_cuts: stop after so many new cuts in any case.
        known: cuts of the same sample, from searches before.
        progress: called with the number of cuts, and F's bounds.
    """
    cuts = [*known, *(support(prices) for prices in start)]
    best = min(dual.allowed(cuts), key=dual.value)
    scale = _scale_of(best.prices, np.max([cut.prices for cut in cuts], axis=0))
    while True:
        mixture = mix(dual, cuts)
        highest = dual.value(best)
        if progress is not None:
            progress(len(cuts) - len(known), mixture.value, highest)
        gap = highest - mixture.value
        if gap <= tolerance * abs(highest) or len(cuts) - len(known) >= max_cuts:
            return Minimum(best, mixture, cuts)
        prices = _nearest(dual, cuts, mixture.value + _LEVEL * gap, best.prices, scale)
        cuts.append(support(dual.projected(mixture.prices if prices is None else prices)))
        if dual.value(cuts[-1]) < highest:
            best = cuts[-1]


def _scale_of(prices: Floats, highest: Floats) -> Floats:
    """In which unit the distance from each price is measured.

    Args:
        prices: where the search begins.
        highest: the highest price of each that was tried; the unit of a kind whose prices all begin at 0.
    """
    half = prices.size // 2
    rate, energy, server = slice(0, half), slice(half, 2 * half), slice(2 * half, None)
    scales = [_scale_of_kind(prices[kind], highest[kind]) for kind in (rate, energy)]
    return np.concatenate([*scales, np.maximum(prices[server], _SERVER_SCALE)])  # 0 says nothing of the server's scale


def _scale_of_kind(prices: Floats, highest: Floats) -> Floats:
    if prices.any():
        return np.asarray(np.maximum(prices, _SMALLEST_SCALE * prices.max()))
    return np.full(prices.size, highest.max() if highest.any() else 1.0)


def _directions(dual: Dual, cuts: Sequence[Cut]) -> Floats:
    return np.array([cut.direction for cut in cuts]) + dual.offset


def mix(dual: Dual, cuts: Sequence[Cut]) -> Mixture:
    """Solve the linear program of the cuts.

    Raises:
        ArithmeticError: no mixture of the cuts reaches what is asked for.
    """
    from scipy.optimize import linprog

    directions = _directions(dual, cuts)
    count, size = directions.shape
    equalities, right = dual.equalities()
    solved = linprog(
        np.append(np.zeros(size), 1.0),
        A_ub=np.hstack((directions, -np.ones((count, 1)))),
        b_ub=np.zeros(count),
        A_eq=np.hstack((equalities, np.zeros((len(right), 1)))),
        b_eq=right,
        bounds=[(0.0, None)] * size + [(None, None)],
        method="highs",
    )
    if solved.x is None or solved.fun is None:
        raise ArithmeticError(solved.message)
    weights = np.maximum(-solved.ineqlin.marginals, 0.0)
    return Mixture(float(solved.fun), weights / weights.sum(), solved.x[:size])


def _nearest(dual: Dual, cuts: Sequence[Cut], level: float, center: Floats, scale: Floats) -> Floats | None:
    """The prices nearest to `center` at which no cut is above `level`; None where the solver gives up."""
    import clarabel
    from scipy.sparse import csc_matrix, diags_array

    size = center.size
    equalities, right = dual.equalities()
    # in units of `scale`, so that the problem is well scaled whatever the units of the prices
    rows = np.vstack((equalities, _directions(dual, cuts))) * scale
    sides = np.concatenate((right, np.full(len(cuts), level), np.zeros(size)))
    settings: Any = clarabel.DefaultSettings()
    settings.verbose = False
    cones = [clarabel.ZeroConeT(len(right)), clarabel.NonnegativeConeT(len(cuts) + size)]
    solution = clarabel.DefaultSolver(
        csc_matrix(diags_array(np.ones(size))), -center / scale, csc_matrix(np.vstack((rows, -np.eye(size)))), sides,
        cones, settings,
    ).solve()  # fmt: skip
    solved = solution.status in (clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved)
    return np.asarray(solution.x) * scale if solved else None
