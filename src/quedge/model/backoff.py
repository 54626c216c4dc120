"""Planning with less than the estimated gain, so that the true one falls short of it no more often than is asked for.

An estimate is ĥ = h X, whatever h is, with `X = |1 + √ε z|²` and z complex Gaussian (docs/channels.md).
So h < ĥ / x just where X > x, and with x the (1 − p/2) quantile of X, the planned gain ĥ / x is above the true one with
probability p/2. The other half is for devices that disturb: with it, their gain is above ĥ over the p/2 quantile.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from quedge.model.scenario import Scenario

_NODES = 4000  # of the integral over the angle
_WIDEST = 12.0  # standard deviations beyond which nothing is left
_HALVINGS = 60
_vectorised_erf = np.vectorize(math.erf, otypes=[np.float64])


def planned_gain_share(scenario: Scenario) -> NDArray[np.float64]:
    """By what policies multiply each device's estimated gain, shape (devices,); 1 where no outage is asked for."""
    return 1.0 / _quantiles(scenario, lambda outage: 1.0 - 0.5 * outage)


def interference_margin(scenario: Scenario) -> NDArray[np.float64]:
    """κ: the gain that a device may have, over the planned one, shape (devices,); 1 where no outage is asked for.

    It has more with half of the outage probability.
    """
    high = _quantiles(scenario, lambda outage: 1.0 - 0.5 * outage)
    return high / _quantiles(scenario, lambda outage: 0.5 * outage)


def _quantiles(scenario: Scenario, probability: Callable[[float], float]) -> NDArray[np.float64]:
    """Of each device's X the quantile at a probability that follows from that of an outage."""
    errors, outage = scenario.per_device("estimate_error").tolist(), scenario.outage_probability
    if outage is None or not any(errors):
        return np.ones(scenario.devices)
    found = {error: error_quantile(error, probability(outage)) for error in set(errors)}
    return np.array([found[error] for error in errors])


@functools.cache
def error_quantile(error: float, probability: float) -> float:
    """The x that `X = |1 + √ε z|²` does not exceed with a probability.

    Args:
        error: ε, from 0 to 1.
        probability: above 0 and below 1.
    """
    if error == 0.0:
        return 1.0
    low, high = 0.0, (1.0 + _WIDEST * math.sqrt(error)) ** 2
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if _distribution(error, middle) < probability:
            low = middle
        else:
            high = middle
    return high


def _distribution(error: float, x: float) -> float:
    """P(X ≤ x): with 1 + s a = √x cos θ and s = √(ε/2) the integral of φ(a) P(|s b| ≤ √x sin θ) over a."""
    deviation, root = math.sqrt(0.5 * error), math.sqrt(x)
    if root == 0.0:
        return 0.0
    nearest, farthest = ((1.0 + sign * _WIDEST * deviation) / root for sign in (1.0, -1.0))
    theta = np.linspace(math.acos(min(nearest, 1.0)) if nearest > -1.0 else math.pi,
                        math.acos(max(farthest, -1.0)) if farthest < 1.0 else 0.0, _NODES)  # fmt: skip
    a = (root * np.cos(theta) - 1.0) / deviation
    density = np.exp(-0.5 * a * a) / math.sqrt(2.0 * math.pi)
    within = _vectorised_erf(root * np.sin(theta) / (deviation * math.sqrt(2.0)))
    integrand = density * within * root * np.sin(theta) / deviation
    return float((np.diff(theta) * (integrand[1:] + integrand[:-1]) / 2.0).sum())  # NumPy has a trapezoid() since 2.0
