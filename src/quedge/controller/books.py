"""The books of a cell: both queues of every device, and the number of the next frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.controller.brought import Brought
from quedge.controller.report import Report
from quedge.model.cell import Cell
from quedge.model.frame import Frame
from quedge.model.ranges import DATA_QUEUE_MBIT, ENERGY_QUEUE


class Books(NamedTuple):
    """Where a cell stands between two frames.

    Attributes:
        next_frame: number of the frame that comes next.
        data_queue_mbit: data queues of all devices as the last decisions left them (Mbit), shape (devices,).
        energy_queue: virtual energy queues of all devices, shape (devices,).
    """

    next_frame: int
    data_queue_mbit: NDArray[np.float64]
    energy_queue: NDArray[np.float64]

    @classmethod
    def of(cls, devices: int) -> Books:
        """The books of a cell that begins."""
        return cls(0, np.zeros(devices), np.zeros(devices))

    def frame(self, cell: Cell, report: Report) -> Frame:
        """The state of a frame: of the devices that reported, their queues with what arrived, or as measured."""
        queue = np.minimum(self.data_queue_mbit[report.devices] + report.arrived_mbit, DATA_QUEUE_MBIT.highest)
        queue = np.where(np.isnan(report.data_queue_mbit), queue, report.data_queue_mbit)
        return Frame(cell.only(report.devices), report.channel_gain, queue, self.energy_queue[report.devices])

    def after(self, report: Report, brought: Brought) -> Books:
        """The books after a frame; a device that did not report keeps its queues.

        Args:
            report: what was reported of the frame.
            brought: what its decision brings to the devices that reported.
        """
        data_queues, energy_queues = self.data_queue_mbit.copy(), self.energy_queue.copy()
        data_queues[report.devices] = brought.data_queue_mbit
        energy_queues[report.devices] = np.minimum(brought.energy_queue, ENERGY_QUEUE.highest)
        return Books(report.frame + 1, data_queues, energy_queues)
