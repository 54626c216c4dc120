"""Mean channel gain of a device from its distance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quedge.model.scenario import Scenario

SPEED_OF_LIGHT_M_PER_S = 299_792_458.0


def path_gain(scenario: Scenario) -> NDArray[np.float64]:
    """Mean power gain of each device's channel, A_d (c / 4π f_c d)^{d_e}.

    Args:
        scenario: gives distances in m, carrier frequency in Hz, antenna gain and path loss exponent.

    Returns:
        Power gains (W/W), shape (devices,).

    Source: LyDROO's free-space path loss model; the paper, Section VI-A, says "standard path loss".
    """
    distance = scenario.per_device("distance_m")
    wavelengths = SPEED_OF_LIGHT_M_PER_S / (4.0 * math.pi * scenario.carrier_frequency_hz * distance)
    return np.asarray(scenario.antenna_gain * wavelengths**scenario.path_loss_exponent)
