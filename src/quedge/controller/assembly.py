"""Frames of those who report for themselves: a frame closes when all have reported, or at a deadline."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from quedge.controller.report import NEXT_FRAME, Reason, Report, ReportRejected, checked_report


class Member:
    """Who reports: a device that speaks for itself, or a gateway that speaks for a group.

    Attributes:
        field: name of the reports' field with the devices.
        group: numbers of the devices that it speaks for now.
    """

    def __init__(self, field: str) -> None:
        self.field = field
        self.group: set[int] = set()


class Assembly:
    """Gathers members' reports into a frame's. It has no clock and no thread of its own: it is told what time it is.

    The first frame after nobody was there waits for all devices of the scenario, up to the deadline: who comes first
    does not close it alone.

    Args:
        devices: number of the scenario's devices.
        deadline_s: time from a frame's first report to its end, whoever is silent (s).

    Attributes:
        devices: their number, which may grow.
    """

    def __init__(self, devices: int, deadline_s: float) -> None:
        self.devices, self._deadline_s = devices, deadline_s
        self._members: set[Member] = set()
        self._expected: set[Member] = set()  # those who do not rest
        self._speakers: dict[int, Member] = {}
        self._reports: dict[Member, Report] = {}
        self._reported: set[int] = set()
        self._began = math.inf
        self._waits_for_all = True

    @property
    def closes(self) -> float:
        """When the frame closes whoever is silent; infinity before its first report."""
        return self._began + self._deadline_s

    @property
    def occupied(self) -> bool:
        """Whether a member has joined that has not left."""
        return bool(self._members)

    def join(self, member: Member, devices: Sequence[int] = ()) -> None:
        """A member begins to report.

        Args:
            member: who.
            devices: numbers of those that it speaks for from now on; a gateway's are told by its reports.

        Raises:
            ReportRejected: a device is unknown, or another member's.
        """
        for device in devices:
            if not 0 <= device < self.devices:
                allowed = f"from 0 to {self.devices - 1}"
                raise ReportRejected.not_allowed(Reason.UNKNOWN_DEVICE, member.field, device, allowed)
        self._speak_for(member, devices)
        self._waits_for_all |= not self._members
        self._members.add(member)
        self._expected.add(member)

    def rest(self, member: Member) -> None:
        """A member that has joined reports no more, but is there: frames do not wait for it."""
        self._expected.discard(member)

    def leave(self, member: Member) -> None:
        """A member is gone; what it has reported of the frame stays."""
        self._speak_for(member, ())
        self._members.discard(member)
        self._expected.discard(member)

    def add(
        self,
        member: Member,
        devices: Sequence[int],
        channel_gain: Sequence[float],
        arrived_mbit: Sequence[float],
        data_queue_mbit: Sequence[float],
        now: float,
    ) -> Report:
        """Take the report of a member that has joined.

        Args:
            member: who reports.
            devices: numbers of the devices that it is about, for which the member speaks from now on.
            channel_gain: power gains (W/W), one a device.
            arrived_mbit: data that arrived since the device's last report (Mbit).
            data_queue_mbit: measured data queues (Mbit); empty where none was measured.
            now: what time it is (s).

        Returns:
            The report, checked.

        Raises:
            ReportRejected: a value is not allowed, a device is another member's, or it or the member has reported in
                this frame.
        """
        if len(devices) == 0:
            told = "none is not allowed; a report is about at least one device"
            raise ReportRejected(Reason.NO_DEVICES, member.field, told)
        again = self._reported.intersection(devices)
        if again or member in self._reports:
            who = min(again) if again else "the gateway"
            told = f"{who} has reported in this frame; once is allowed"
            raise ReportRejected(Reason.REPEATED_DEVICE, member.field, told)
        report = checked_report(self.devices, 0, channel_gain, arrived_mbit, data_queue_mbit, devices)
        self._speak_for(member, devices)
        if not self._reports:
            self._began = now
        self._reports[member] = report
        self._reported.update(devices)
        return report

    def is_closed(self, now: float) -> bool:
        """Whether the frame has ended: all who still report have done so, or its time is over."""
        if not self._reports:
            return False
        if now < self._began:  # the clock was put back: the frame's time counts from now
            self._began = now
        if now >= self.closes or len(self._reported) == self.devices:
            return True
        if self._waits_for_all and self._expected:
            return False
        return len(self._expected) <= len(self._reports) and self._expected <= self._reports.keys()

    def taken(self) -> Report:
        """The report of the frame that has ended, as that of the one that is due; the next frame begins."""
        parts, self._reports, self._reported = [*self._reports.values()], {}, set()
        self._began, self._waits_for_all = math.inf, False
        if len(parts) == 1:
            return parts[0]._replace(frame=NEXT_FRAME)
        devices, *values = (np.concatenate(columns) for columns in zip(*(part[1:] for part in parts), strict=True))
        order = np.argsort(devices)
        return Report(NEXT_FRAME, devices[order], *(column[order] for column in values))

    def _speak_for(self, member: Member, devices: Sequence[int]) -> None:
        """A member speaks for these devices from now on, and for no others; a ReportRejected for another one's."""
        group = set(devices)
        if group == member.group:
            return
        for device in devices:
            if self._speakers.get(device, member) is not member:
                told = f"{device} has a stream already; one is allowed"
                raise ReportRejected(Reason.REPEATED_DEVICE, member.field, told)
        for device in member.group - group:
            del self._speakers[device]
        self._speakers.update(dict.fromkeys(group, member))
        member.group = group
