"""Devices and gateways that report for themselves; each reports again only after an answer or a lost connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.service.chaos.arena import PAUSE_S, Arena, Truthfulness
from benchmarks.service.chaos.child import UnplannedError
from quedge.controller.answer import ServedBy
from quedge.service.client.client import DeviceStream, ReportRefused

VALUES = ("offload", "transmit_power_w", "cpu_frequency_hz", "rate_mbps", "power_w", "data_queue_mbit", "energy_queue")


class Part(NamedTuple):
    """What one device reported, and what it was answered.

    Attributes:
        device: its number.
        gain: channel gain, which no two reports have in common.
        arrived_mbit: what arrived.
        answer: values as in `VALUES`.
        served_by: who decided.
    """

    device: int
    gain: float
    arrived_mbit: float
    answer: tuple[Any, ...]
    served_by: ServedBy


class Heard:
    """What the members of a cell were answered, by frame.

    Attributes:
        parts: by frame and device.
        sent: all reports that were sent, by device and gain, and not known to be in a frame: what arrived.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.parts: dict[int, dict[int, Part]] = {}
        self.sent: dict[tuple[int, float], float] = {}
        self.incarnation = ""
        self.last: dict[str, int] = {}

    def send(self, devices: Sequence[int], gains: Sequence[float], arrived: Sequence[float]) -> None:
        """Reports are sent."""
        with self.lock:
            self.sent.update(zip(zip(devices, gains, strict=True), arrived, strict=True))

    def hear(self, member: str, frame: int, incarnation: str, parts: Sequence[Part]) -> None:
        """A member is answered; an UnplannedError where that cannot be."""
        with self.lock:
            self.incarnation = self.incarnation or incarnation
            if incarnation != self.incarnation:
                raise UnplannedError(f"{member}: answers of the state {incarnation}, not {self.incarnation}")
            if frame <= self.last.get(member, -1):
                raise UnplannedError(f"{member}: frame {frame} after frame {self.last[member]}: served twice")
            self.last[member] = frame
            for part in parts:
                if part.device in self.parts.setdefault(frame, {}):
                    raise UnplannedError(f"{member}: device {part.device} is in frame {frame} twice")
                self.parts[frame][part.device] = part


class Member(threading.Thread):
    """A device, or a gateway for some, that reports until the arena is over.

    Args:
        arena: where.
        cell: the base station's name.
        devices: for which it speaks.
        is_gateway: whether it is a gateway.
        heard: where its answers are kept.
        number: of its random stream.
        pace_s: mean time between its reports.
    """

    def __init__(
        self, arena: Arena, cell: str, devices: list[int], is_gateway: bool, heard: Heard, number: int, pace_s: float
    ) -> None:
        super().__init__(name=f"{cell}, {'gateway of' if is_gateway else 'device'} {devices}", daemon=True)
        self._arena, self._cell, self._devices, self._is_gateway = arena, cell, devices, is_gateway
        self._heard, self._pace_s = heard, pace_s
        self._rng = np.random.default_rng([arena.seed, number])
        self._truthful = Truthfulness(arena, self.name)
        self.acknowledged = 0

    def run(self) -> None:
        """See the class."""
        self._arena.report_until_over(self.name, self._report_over_one_stream)

    def _report_over_one_stream(self) -> None:
        with self._arena.client(self._cell) as client:
            stream = client.gateway() if self._is_gateway else client.device(self._devices[0])
            with stream:
                self._report_to(stream)

    def _report_to(self, stream: Any) -> None:
        ends = time.monotonic() + self._rng.exponential(20.0)  # now and then it begins another stream
        while not self._arena.over.is_set() and time.monotonic() < ends:
            gains = (10.0 ** self._rng.uniform(-13, -8, len(self._devices))).tolist()
            arrived = self._rng.exponential(6.0, len(self._devices)).tolist()
            self._heard.send(self._devices, gains, arrived)
            moment = self._arena.moment()
            try:
                if isinstance(stream, DeviceStream):
                    decided: Any = stream.decide(gains[0], arrived[0])
                else:
                    decided = stream.decide(self._devices, gains, arrived)
            except ReportRefused as refused:
                self._refused(refused, moment)
                continue
            self._truthful.served()
            self.acknowledged += 1
            self._arena.count("answers to devices and gateways")
            parts = [self._part(place, gains, arrived, decided) for place in range(len(gains))]
            self._heard.hear(self.name, decided.frame, decided.incarnation, parts)
            time.sleep(self._rng.exponential(self._pace_s))

    def _part(self, place: int, gains: list[float], arrived: list[float], decided: Any) -> Part:
        values = tuple(np.atleast_1d(getattr(decided, name))[place].item() for name in VALUES)
        return Part(self._devices[place], gains[place], arrived[place], values, decided.served_by)

    def _refused(self, refused: ReportRefused, moment: int) -> None:
        self._arena.count(f"refused: {refused.outcome}")
        if refused.outcome == "NOT_DURABLE":
            self._truthful.refused(moment)
        elif refused.outcome not in ("OVERLOADED", "NAME_TAKEN", "REPEATED_DEVICE"):
            raise UnplannedError(f"a good report was refused: {refused.outcome}: {refused}")
        time.sleep(PAUSE_S)
