"""A base station that reports for all its devices, over one stream."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from quedge.interfaces.service.asking.failures import ReportRefused
from quedge.interfaces.service.async_client import AsyncClient
from quedge.interfaces.service.emulating.turn import Turn

_OUT_OF_TURN = ("OLD_FRAME", "FUTURE_FRAME")


class BaseStation:
    """See `Reporters`.

    Args:
        client: its connection.
        next_frame: the frame that is due.
    """

    def __init__(self, client: AsyncClient, next_frame: int) -> None:
        self._stream = client.stream()
        self._next_frame = next_frame

    async def report(
        self,
        away: NDArray[np.bool_],
        devices: NDArray[np.int64],
        channel_gain: NDArray[np.float64],
        arrived_mbit: NDArray[np.float64],
    ) -> Turn:
        """See `Reporters.report`; a device that is away or whose report is lost is left out."""
        some = None if devices.size == away.size else devices
        begun = time.perf_counter()
        try:
            decided = await self._stream.decide(self._next_frame, channel_gain, arrived_mbit, None, some)
        except ReportRefused as refused:
            if refused.outcome in _OUT_OF_TURN and refused.next_frame is not None:
                self._next_frame = refused.next_frame
            return Turn([], [refused], [time.perf_counter() - begun])
        self._next_frame += 1
        return Turn([decided], [], [time.perf_counter() - begun])

    async def close(self) -> None:
        """See `Reporters.close`."""
        await self._stream.close()
