"""The books of a cell: both queues of every device, and the number of the next frame."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.controller.outcome import Brought
from quedge.controller.report import Report
from quedge.model.cell import Cell
from quedge.model.frame import DATA_QUEUE_MBIT, Frame
from quedge.model.kernels import Floats, Ints, kernel

_HIGHEST_DATA_QUEUE_MBIT = DATA_QUEUE_MBIT.highest


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
        queue, energy_queue = _found(
            self.data_queue_mbit, self.energy_queue, report.devices, report.arrived_mbit, report.data_queue_mbit
        )
        return Frame(cell.only(report.devices), report.channel_gain, queue, energy_queue)

    def after(self, report: Report, brought: Brought) -> Books:
        """The books after a frame; a device that did not report keeps its queues.

        Args:
            report: what was reported of the frame.
            brought: what its decision brings to the devices that reported.
        """
        if report.devices.size == self.data_queue_mbit.size:  # all of them, in order
            return Books(report.frame + 1, brought.data_queue_mbit, brought.energy_queue)
        data_queues, energy_queues = self.data_queue_mbit.copy(), self.energy_queue.copy()
        data_queues[report.devices] = brought.data_queue_mbit
        energy_queues[report.devices] = brought.energy_queue
        return Books(report.frame + 1, data_queues, energy_queues)


@kernel
def _found(
    data_queues: Floats, energy_queues: Floats, devices: Ints, arrived_mbit: Floats, measured_mbit: Floats
) -> tuple[Floats, Floats]:
    """Both queues of the devices that reported, at the start of the frame."""
    data_queue_mbit, energy_queue = np.empty(devices.size), np.empty(devices.size)
    for i in range(devices.size):
        device, queue = devices[i], measured_mbit[i]
        if math.isnan(queue):
            queue = min(data_queues[device] + arrived_mbit[i], _HIGHEST_DATA_QUEUE_MBIT)
        data_queue_mbit[i], energy_queue[i] = queue, energy_queues[device]
    return data_queue_mbit, energy_queue
