"""What is known of a channel: estimates with an error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quedge.model.scenario import Scenario


def estimated_gain(
    scenario: Scenario, channel_gain: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Power gains as they are estimated, |√h (1 + √ε z)|² with z complex Gaussian of unit variance.

    The mean squared error of the field √h is ε of its power, ε being the scenario's `estimate_error`, independent from
    frame to frame and device to device. The phase of the field does not matter, since z has none that is preferred.

    Args:
        scenario: gives the error.
        channel_gain: true power gains (W/W), shape (frames, devices).
        rng: where the errors come from.

    Returns:
        Estimates of the same shape, positive; without an error the true gains themselves.
    """
    error = scenario.per_device("estimate_error")
    if not error.any():
        return channel_gain
    relative = np.sqrt(error / 2.0) * rng.standard_normal((2, *channel_gain.shape))
    estimate = channel_gain * ((1.0 + relative[0]) ** 2 + relative[1] ** 2)
    return np.asarray(np.maximum(estimate, np.finfo(np.float64).tiny))
