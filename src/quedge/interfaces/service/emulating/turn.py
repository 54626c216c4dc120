"""What becomes of the reports of one frame."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from quedge.interfaces.service.asking.answers import Decided
from quedge.interfaces.service.asking.failures import ReportRefused


class Turn(NamedTuple):
    """The answers to the reports that were sent in one frame of the emulation.

    Attributes:
        decided: frames of the service that were answered, rising; more than one where devices did not join in time.
        refused: refusals.
        round_trips_s: time from each report to its answer (s).
    """

    decided: list[Decided]
    refused: list[ReportRefused]
    round_trips_s: list[float]


class Reporters(Protocol):
    """Who reports, and how."""

    async def report(
        self,
        away: NDArray[np.bool_],
        devices: NDArray[np.int64],
        channel_gain: NDArray[np.float64],
        arrived_mbit: NDArray[np.float64],
    ) -> Turn:
        """Report a frame and wait for all answers.

        Args:
            away: which devices have no stream, shape (devices of the cell,).
            devices: numbers of those that report; at least one.
            channel_gain: their channel gains (W/W), shape (reporting devices,).
            arrived_mbit: what they report of arrivals (Mbit), shape (reporting devices,).

        Raises:
            ServiceUnavailable: an answer did not come.
        """
        ...

    async def close(self) -> None:
        """End all streams."""
        ...
