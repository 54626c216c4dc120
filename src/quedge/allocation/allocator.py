"""What every power allocator offers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quedge.model.frame import Decision, Frame


class Allocator(Protocol):
    """Best powers and frequencies for a *given* offloading decision."""

    def allocate(self, frame: Frame, offload: NDArray[np.bool_]) -> Decision:
        """Allocate transmit powers to the offloading devices and frequencies to the others.

        Args:
            frame: the frame's state.
            offload: true where a device offloads, shape (devices,).

        Returns:
            The decision with its powers, rates and objective.

        Raises:
            ValueError: `offload` is not one boolean a device.
        """
        ...
