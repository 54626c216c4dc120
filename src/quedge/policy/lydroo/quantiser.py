"""From the actor's relaxed decision to binary candidates.

The relaxed decision is x̂ = sigmoid(z). The sigmoid rises, and `|x̂ − 0.5|` rises with `|z|`, so that all orders and
thresholds are taken on the logits z themselves: nothing is lost where x̂ rounds to 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed, one_of
from quedge.model.arrays import ascending_order, copy_into
from quedge.model.kernels import Bools, Floats, Ints, kernel


class Candidates(NamedTuple):
    """Different offloading decisions, the more likely first.

    Attributes:
        offload: the decisions, shape (candidates, devices), no two alike.
        place: place of each in the quantiser's order, counted from 0, shape (candidates,); the number of candidates
            adapts to the places that win.
    """

    offload: NDArray[np.bool_]
    place: NDArray[np.int64]


class Quantiser(Protocol):
    """Turns the actor's logits into candidates."""

    def quantise(self, logits: NDArray[np.float64], count: int, rng: np.random.Generator) -> Candidates:
        """Candidates for a relaxed decision.

        Args:
            logits: the actor's output z before the sigmoid, shape (devices,).
            count: K, number of candidates, from 1 to one more than the number of devices; a noisy quantiser gives up to
                twice as many.
            rng: where noise is drawn from.
        """
        ...


@dataclass(frozen=True)
class OrderPreserving:
    """Thresholds at 0.5 and then at the entries of x̂ closest to 0.5, in turn; the order of the entries is kept.

    Example:
        >>> print(quedge.OrderPreserving().quantise(np.array([0.2, -1.0, 3.0]), count=3, rng=rng).offload)
        [[ True False  True]
         [False False  True]
         [ True  True  True]]

    Source: Section IV-B; DROO (Huang, Bi, Zhang, IEEE TMC 19(11), 2020) for ties: an entry at the threshold offloads
    where the threshold is at most 0.5.
    """

    def quantise(self, logits: NDArray[np.float64], count: int, rng: np.random.Generator) -> Candidates:
        """Up to `count` candidates; see `Quantiser.quantise`."""
        return Candidates(*_order_preserving(logits, logits[:0], count))


class NoisyCopy(StrEnum):
    """What the noise n is added to, and so what the noisy copy is.

    Example:
        >>> quantiser = quedge.NoisyOrderPreserving(noise=0.5, copy=quedge.NoisyCopy.LOGIT)
        >>> print(*quedge.NoisyCopy)
        sigmoid relaxed logit
    """

    SIGMOID = "sigmoid"
    """sigmoid(x̂ + n), thresholded at 0.5: as in LyDROO's public code."""
    RELAXED = "relaxed"
    """x̂ + n, thresholded at 0.5: the other way to read LyDROO's text."""
    LOGIT = "logit"
    """sigmoid(z + n): exploration ends once the actor is sure of itself (docs/lydroo.md)."""


@dataclass(frozen=True)
class NoisyOrderPreserving:
    """The order-preserving candidates of x̂, and as many of a noisy copy of it.

    The noise is added to x̂, which is in [0, 1], so that exploration survives an actor that is sure of itself.

    Attributes:
        noise: standard deviation of the Gaussian noise, positive.
        copy: what the noise is added to.

    Example:
        >>> quantiser = quedge.NoisyOrderPreserving(noise=0.5)
        >>> print(quantiser.quantise(np.array([0.2, -1.0, 3.0]), count=2, rng=rng).offload[:2])  # noisy ones follow
        [[ True False  True]
         [False False  True]]
        >>> agent = quedge.Lydroo(quantiser=quantiser)

    Source: Section IV-B; LyDROO (Bi, Huang, Wang, Zhang, IEEE TWC 20(11), 2021), whose public code has sigmoid(x̂ + n).
    """

    noise: float = 1.0
    copy: NoisyCopy = NoisyCopy.SIGMOID

    def __post_init__(self) -> None:
        if not 0.0 < self.noise < np.inf:
            raise not_allowed("noise", self.noise, "positive and finite")
        if self.copy not in tuple(NoisyCopy):
            raise not_allowed("copy", self.copy, one_of(NoisyCopy))

    def quantise(self, logits: NDArray[np.float64], count: int, rng: np.random.Generator) -> Candidates:
        """Up to twice `count` candidates; see `Quantiser.quantise`."""
        noise = self.noise * rng.standard_normal(logits.size)
        return Candidates(*_order_preserving(logits, self._centred(logits) + noise, count))

    def _centred(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the noise is added to, less its threshold: the order-preserving rule has its threshold at 0."""
        if self.copy is NoisyCopy.LOGIT:
            return logits
        relaxed = 0.5 + 0.5 * np.tanh(0.5 * logits)  # the sigmoid, without overflow
        return relaxed if self.copy is NoisyCopy.SIGMOID else relaxed - 0.5


@dataclass(frozen=True)
class NearestNeighbours:
    """The binary decisions of least Euclidean distance to x̂ (KNN), the nearest first.

    Example:
        >>> print(quedge.NearestNeighbours().quantise(np.array([0.2, -1.0, 0.4]), count=4, rng=rng).offload)
        [[ True False  True]
         [False False  True]
         [ True False False]
         [False False False]]

    Source: DROO; it lists all 2^N decisions, we build the nearest ones directly.
    """

    def quantise(self, logits: NDArray[np.float64], count: int, rng: np.random.Generator) -> Candidates:
        """`count` candidates; see `Quantiser.quantise`."""
        return Candidates(*_nearest(logits, count))


@kernel
def _order_preserving(logits: Floats, noisy: Floats, count: int) -> tuple[Bools, Ints]:
    """Order-preserving candidates of the logits and, where it is not empty, of their noisy copy; no two alike."""
    n = logits.size
    copies = 2 if noisy.size > 0 else 1
    offload = np.empty((copies * count, n), np.bool_)
    place = np.empty(copies * count, np.int64)
    digest = np.empty(copies * count, np.int64)
    kept = 0
    for copy in range(copies):
        z = logits if copy == 0 else noisy
        nearest = ascending_order(np.abs(z))
        for k in range(count):
            row = offload[kept]
            threshold = z[nearest[k - 1]] if k > 0 else 0.0
            includes = k > 0 and threshold <= 0.0
            for i in range(n):
                row[i] = z[i] > threshold or (includes and z[i] == threshold)
            digest[kept] = _digest(row)
            place[kept] = k
            if not _stands_before(offload, digest, kept):
                kept += 1
    return offload[:kept], place[:kept]


@kernel
def _digest(row: Bools) -> int:
    """A number that different decisions hardly share."""
    number = 0
    for i in range(row.size):
        number = (number * 1000003 + (i + 1) * row[i]) % 2147483647
    return number


@kernel
def _stands_before(offload: Bools, digest: Ints, last: int) -> bool:
    """Whether the last decision equals one before it."""
    for row in range(last):  # noqa: SIM110  # compiled code has no generators
        if digest[row] == digest[last] and np.all(offload[row] == offload[last]):
            return True
    return False


@kernel
def _nearest(logits: Floats, count: int) -> tuple[Bools, Ints]:
    """The `count` decisions nearest to x̂, or all where there are fewer.

    Against the rounded decision, the squared distance grows by |2 x̂ − 1| with each entry that is flipped. So the
    nearest decisions are the flip sets of least total cost; they only ever flip the count − 1 cheapest entries. Sets
    are built entry by entry: the best of those without it, merged with the best of those with it.
    """
    n = logits.size
    cost = np.abs(np.tanh(0.5 * logits))  # |2 x̂ − 1|
    cheapest = ascending_order(cost)[: max(count - 1, 1)]
    flips = np.zeros((count, n), np.bool_)
    total = np.zeros(count)
    found = 1
    for entry in cheapest:
        merged, merged_total, merged_found = np.zeros((count, n), np.bool_), np.zeros(count), 0
        without, within = 0, 0
        while merged_found < count and (without < found or within < found):
            if without < found and (within >= found or total[without] <= total[within] + cost[entry]):
                copy_into(merged[merged_found], flips[without])
                merged_total[merged_found] = total[without]
                without += 1
            else:
                copy_into(merged[merged_found], flips[within])
                merged[merged_found, entry] = True
                merged_total[merged_found] = total[within] + cost[entry]
                within += 1
            merged_found += 1
        flips, total, found = merged, merged_total, merged_found
    offload = np.empty((found, n), np.bool_)
    for row in range(found):
        for i in range(n):
            offload[row, i] = (logits[i] > 0.0) != flips[row, i]
    return offload, np.arange(found)
