"""What a cell's queues must be after the frames that were acknowledged."""

from __future__ import annotations

import numpy as np

from quedge.controller.records import Entry
from quedge.model.cell import Cell
from quedge.model.frame import Frame
from tests import oracle


class Model:
    """What the queues must be: eqs. of both queues over the frames that were acknowledged, in plain NumPy."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.next_frame = 0
        self.data_queue_mbit, self.energy_queue = np.zeros(cell.devices), np.zeros(cell.devices)
        self.acknowledged: list[Entry] = []

    def acknowledge(self, entry: Entry) -> None:
        """Advance by a frame, and check that its answer follows from its report."""
        report, answer = entry
        who = report.devices
        assert report.frame == answer.frame == self.next_frame
        assert np.array_equal(who, answer.devices)
        kept = np.minimum(self.data_queue_mbit[who] + report.arrived_mbit, 1e12)
        queue = np.where(np.isnan(report.data_queue_mbit), kept, report.data_queue_mbit)
        cell = self.cell.only(who)
        frame = Frame(cell, report.channel_gain, queue, self.energy_queue[who])
        share = answer.time_share if answer.is_tdma else None
        charged = oracle.evaluate(frame, answer.offload, answer.transmit_power_w, answer.cpu_frequency_hz, share)
        charged = oracle.cut_to_limits(frame, answer.offload, charged)
        np.testing.assert_allclose(answer.rate_mbps, charged.rate_mbps, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(answer.power_w, charged.power_w, rtol=1e-9, atol=1e-12)
        self.data_queue_mbit[who] = np.maximum(queue - answer.rate_mbps * cell.frame_s, 0.0)
        over_budget = cell.nu * (answer.power_w - cell.power_budget_w)
        self.energy_queue[who] = np.minimum(np.maximum(self.energy_queue[who] + over_budget, 0.0), 1e15)
        assert np.array_equal(answer.data_queue_mbit, self.data_queue_mbit[who])
        assert np.array_equal(answer.energy_queue, self.energy_queue[who])
        self.next_frame += 1
        self.acknowledged.append(entry)
