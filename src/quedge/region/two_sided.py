"""Bounds from both sides, with confidence: prices are found on one sample of channels and judged on a fresh one.

At prices that do not depend on the fresh sample, the mean of F over it is an unbiased estimate of an upper bound. The
mixture of policies that is best on the fresh sample reaches at most the least mean of F there, and that is at most
the bound itself in expectation, since the least of means is on average no larger than the mean at the best prices. So
the two enclose the truth in expectation, and intervals say how far chance moves them.

Source: W.-K. Mak, D. P. Morton, R. K. Wood, Monte Carlo bounding techniques for determining solution quality in
stochastic programs, Operations Research Letters 24, 1999; A. Shapiro, Asymptotic analysis of stochastic programs,
Annals of Operations Research 30, 1991, for the deviation of the least mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from quedge.model.cell import cell_of, refuse_partial
from quedge.model.conditions import server_load_of
from quedge.model.kernels import Floats
from quedge.model.scenario import PARTIAL, Scenario
from quedge.region.bundle import Dual, Minimum, minimise
from quedge.region.sampling import Samples
from quedge.region.support import Cut, Support

_FRAME_TOLERANCE = 0.2  # of a frame's solution, over the whole tolerance
_MAX_CUTS = 500
_MORE_CUTS = 40  # on the fresh sample
_SERVER_PRICES = 0.0, 0.3  # over all rates' worth, with which the search begins
_Z95 = 1.959964

Progress = Callable[[str, int, float, float], None]
"""Is told on which sample the search works, the number of cuts, and the bounds of F there."""


class Estimated(NamedTuple):
    """A value, and half of its 95 % confidence interval, which is 0 for a recording."""

    value: float
    ci95: float


class Bounds(NamedTuple):
    """The least F from both sides.

    Attributes:
        upper: F at `prices`.
        lower: what mixing policies reaches.
        difference: upper − lower, on the same frames.
        prices: q, y, and μ where the edge server is finite.
        cuts: number of prices that were tried.
    """

    upper: Estimated
    lower: Estimated
    difference: Estimated
    prices: Floats
    cuts: int


class Region:
    """The region of a cell on both samples, with the cuts that are known of it.

    Attributes:
        has_server: whether the edge server is finite, so that there is a price of it.
    """

    def __init__(
        self, scenario: Scenario, samples: Samples, access: str, tolerance: float, progress: Progress | None = None
    ) -> None:
        """Begin without cuts.

        Args:
            scenario: the cell, without batteries and without results to download.
            samples: the channels.
            access: as in `Support`.
            tolerance: relative distance of the bounds at which to stop, on each sample.
            progress: is told how far the search is.

        Raises:
            ValueError: offloading is partial.
        """
        scenario.require_one_cell("the capacity region")
        refuse_partial(scenario.offloading == PARTIAL and access != "none", "the capacity region")
        if access == "none":  # the channel does not matter
            first = samples.first[:1]
            samples = Samples(first, first)
        self._samples, self._tolerance, self._progress = samples, tolerance, progress
        frame_tolerance = _FRAME_TOLERANCE * tolerance
        server_load = server_load_of(scenario)
        self.has_server = server_load.size > 0
        cell = cell_of(scenario)
        self._first = Support(cell, samples.first, access, frame_tolerance, server_load)
        self._fresh = Support(cell, samples.fresh, access, frame_tolerance, server_load)
        self._first_cuts: Sequence[Cut] = ()
        self._fresh_cuts: Sequence[Cut] = ()

    def begun(self, dual: Dual, start: Sequence[Floats]) -> tuple[Dual, list[Floats]]:
        """A dual and first prices, of which the edge server's is added where that is finite."""
        if not self.has_server:
            return dual, list(start)
        return dual.with_server(), [np.append(prices, price) for prices in start for price in _SERVER_PRICES]

    @property
    def frames(self) -> int:
        """Number of frames on which bounds are evaluated."""
        return int(self._samples.fresh.shape[0])

    def search(self, dual: Dual, start: Sequence[Floats]) -> Minimum:
        """Minimise F on the first sample; `start` is tried first, beside all cuts of the searches before."""
        found = minimise(
            self._first, dual, start, self._tolerance, _MAX_CUTS, self._first_cuts, self._told("first sample")
        )
        self._first_cuts = found.cuts
        return found

    def judge(self, dual: Dual, found: Minimum, kept: Sequence[Floats]) -> Bounds:
        """Evaluate what was found on the fresh sample, and sharpen the mixture of policies there.

        Args:
            dual: gives F.
            found: on the first sample.
            kept: prices whose policies take part in any case.
        """
        if self._samples.is_recording:
            best, judged = found.best, found
        else:
            best = self._fresh(found.best.prices)
            known = [*self._fresh_cuts, best]
            tried = {cut.prices.tobytes() for cut in known}
            wanted = [*kept, *(cut.prices for cut in found.active)]
            start = [prices for prices in wanted if prices.tobytes() not in tried]
            judged = minimise(
                self._fresh, dual, start, self._tolerance, len(start) + _MORE_CUTS, known, self._told("fresh sample")
            )
            self._fresh_cuts = judged.cuts
        upper, lower = dual.value(best), judged.mixture.value
        return Bounds(
            Estimated(upper, self._ci95(best.bound)),
            Estimated(lower, self._ci95(judged.best.bound)),
            Estimated(upper - lower, self._ci95(best.bound - judged.best.bound)),
            best.prices,
            len(self._first_cuts) + len(self._fresh_cuts),
        )

    def _ci95(self, values: Floats) -> float:
        if self._samples.is_recording:
            return 0.0
        return float(_Z95 * values.std(ddof=1) / math.sqrt(values.size))

    def _told(self, where: str) -> Callable[[int, float, float], None] | None:
        progress = self._progress
        if progress is None:
            return None
        return lambda cuts, lower, upper: progress(where, cuts, lower, upper)
