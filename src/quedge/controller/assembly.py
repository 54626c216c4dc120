"""Frames of devices that report for themselves: a frame closes when all have reported, or at a deadline."""

from __future__ import annotations

import math

import numpy as np

from quedge.controller.report import NEXT_FRAME, Reason, Report, ReportRejected, checked_report


class Assembly:
    """Gathers single reports into a frame's. It has no clock and no thread of its own: it is told what time it is.

    Args:
        devices: number of the scenario's devices.
        deadline_s: time from a frame's first report to its end, whoever is silent (s).

    Attributes:
        devices: their number, which may grow.
    """

    def __init__(self, devices: int, deadline_s: float) -> None:
        self.devices, self._deadline_s = devices, deadline_s
        self._joined: set[int] = set()
        self._resting: set[int] = set()
        self._reports: dict[int, tuple[float, float, float]] = {}
        self._began = math.inf

    @property
    def closes(self) -> float:
        """When the frame closes whoever is silent; infinity before its first report."""
        return self._began + self._deadline_s

    @property
    def occupied(self) -> bool:
        """Whether a device has joined that has not left."""
        return bool(self._joined)

    def join(self, device: int) -> None:
        """A device begins to report; a ReportRejected where it is unknown, or reports already."""
        if not 0 <= device < self.devices:
            allowed = f"from 0 to {self.devices - 1}"
            raise ReportRejected.not_allowed(Reason.UNKNOWN_DEVICE, "device", device, allowed)
        if device in self._joined:
            raise ReportRejected(Reason.REPEATED_DEVICE, "device", f"{device} has a stream already; one is allowed")
        self._joined.add(device)

    def rest(self, device: int) -> None:
        """A device that has joined reports no more, but is there: frames do not wait for it."""
        self._resting.add(device)

    def leave(self, device: int) -> None:
        """A device is gone; what it has reported of the frame stays."""
        self._joined.discard(device)
        self._resting.discard(device)

    def add(
        self, device: int, channel_gain: float, arrived_mbit: float, data_queue_mbit: float | None, now: float
    ) -> None:
        """Take the report of a device that has joined.

        Args:
            device: its number.
            channel_gain: power gain (W/W).
            arrived_mbit: data that arrived since its last report (Mbit).
            data_queue_mbit: its measured data queue (Mbit); None where it did not measure it.
            now: what time it is (s).

        Raises:
            ReportRejected: a value is not allowed, or it has reported in this frame.
        """
        if device in self._reports:
            raise ReportRejected(
                Reason.REPEATED_DEVICE, "device", f"{device} has reported in this frame; once is allowed"
            )
        measured = () if data_queue_mbit is None else (data_queue_mbit,)
        checked_report(self.devices, 0, (channel_gain,), (arrived_mbit,), measured, (device,))
        if not self._reports:
            self._began = now
        queue = math.nan if data_queue_mbit is None else data_queue_mbit
        self._reports[device] = (channel_gain, arrived_mbit, queue)

    def is_closed(self, now: float) -> bool:
        """Whether the frame has ended: all who still report have done so, or its time is over."""
        if self._reports and now < self._began:  # the clock was put back: the frame's time counts from now
            self._began = now
        expected = self._joined - self._resting
        return bool(self._reports) and (now >= self.closes or expected <= self._reports.keys())

    def taken(self) -> Report:
        """The report of the frame that has ended, as that of the one that is due; the next frame begins."""
        devices = np.array(sorted(self._reports), dtype=np.int64)
        numbers = np.array([self._reports[device] for device in devices.tolist()], dtype=np.float64)
        self._reports, self._began = {}, math.inf
        return Report(NEXT_FRAME, devices, *numbers.T.copy())
