"""The queues at a finite edge server, as the controller of a cell keeps them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quedge.model.cell import Cell
from quedge.model.conditions import Conditions, advance_conditions, facilities_of, fill_frame_cell
from quedge.model.frame import Frame
from quedge.model.scenario import Scenario

_NO_BATTERY = np.empty(0)


class EdgeServer:
    """What the server's queues mean for a frame, and how they go on. It keeps nothing itself."""

    def __init__(self, scenario: Scenario, cell: Cell) -> None:
        """The server of a scenario; without a finite one it changes nothing."""
        self._cell, self._facilities = cell, facilities_of(scenario)
        self.is_finite = self._facilities.server_cycles_per_mbit.size > 0

    def frame(self, frame: Frame, devices: NDArray[np.int64], waiting_mbit: NDArray[np.float64]) -> Frame:
        """A frame of some devices, in which the server's queues of all (Mbit) weigh against offloading."""
        if not self.is_finite:
            return frame
        own = frame.cell.copied()
        conditions = Conditions(_NO_BATTERY, waiting_mbit[devices])
        fill_frame_cell(frame.cell, conditions, frame.channel_gain, frame.data_queue_mbit, own)
        return frame._replace(cell=own)

    def after(
        self,
        waiting_mbit: NDArray[np.float64],
        devices: NDArray[np.int64],
        offload: NDArray[np.bool_],
        rate_mbps: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """The server's queues of all devices (Mbit) after a frame in which some of them were decided for."""
        if not self.is_finite:
            return waiting_mbit
        everybody, rates, left = np.zeros(waiting_mbit.size, np.bool_), np.zeros(waiting_mbit.size), waiting_mbit.copy()
        everybody[devices], rates[devices] = offload, rate_mbps
        conditions = Conditions(_NO_BATTERY, left)
        advance_conditions(self._cell, self._facilities, conditions, _NO_BATTERY, everybody, rates, rates)
        return left
