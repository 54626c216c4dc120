"""What Prometheus reads: counted in plain numbers as frames are served, and turned into metrics when it asks."""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge import __version__
from quedge.controller.engine import Served
from quedge.controller.outcome import Answer, ServedBy
from quedge.controller.state import Books
from quedge.service.monitoring.observers import REFUSALS, QueuesSeen, Started, certified_gap, name_of

BUCKETS_S = (
    1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0,
)  # fmt: skip
"""Upper ends of the buckets of both latencies (s); what takes longer is counted above them all."""


class Metrics:
    """A watcher whose numbers Prometheus can read from a registry of its own.

    Args:
        power_budget_w: budget of each device's mean power (W), shape (devices,).
    """

    def __init__(self, power_budget_w: NDArray[np.float64]) -> None:
        from prometheus_client import CollectorRegistry, ProcessCollector

        self._devices, self._budget_w = power_budget_w.size, math.fsum(power_budget_w) / power_budget_w.size
        self._lock = threading.Lock()
        self._cells: dict[str, _Cell] = {}
        self._refused = Counter(dict.fromkeys(REFUSALS, 0))
        self._started: Started | None = None
        self._began = time.time()
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format 0.0.4."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """See `Observer.served`."""
        with self._lock:
            cell = self._cells.get(base_station)
            if cell is None:
                cell = self._cells[base_station] = _Cell(Books.of(self._devices))
            cell.take(served, round_trip_s)

    def refused(self, base_station: str, outcome: int) -> None:
        """See `Observer.refused`. The name may be anybody's invention, so it is no label."""
        with self._lock:
            self._refused[name_of(outcome)] += 1

    def restored(self, base_station: str, books: Books) -> None:
        """See `Watcher.restored`."""
        with self._lock:
            self._cells[base_station] = _Cell(books)

    def started(self, started: Started) -> None:
        """See `Watcher.started`."""
        self._started = started

    def stopping(self) -> None:
        """See `Watcher.stopping`."""

    def stopped(self) -> None:
        """See `Watcher.stopped`."""

    def collect(self) -> Iterator[Any]:
        """The metrics, for the registry."""
        families = _Families()
        for name, cell in list(self._cells.items()):
            with self._lock:  # for as long as a copy takes: served frames wait for it
                copied = cell.copy()
            families.add(name, copied, self._budget_w)
        for outcome, count in list(self._refused.items()):
            families.refused.add_metric([outcome], count)
        yield from families.all()
        yield from self._service()

    def _service(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        yield InfoMetricFamily("quedge_build", "The software.", {"version": __version__})
        yield GaugeMetricFamily("quedge_start_time_seconds", "When the service began, since 1970.", self._began)
        if self._started is not None:
            yield InfoMetricFamily("quedge_tls", "How streams are secured.", {"mode": self._started.tls})
            told = {"policy": self._started.policy, "durability": self._started.durability}
            yield InfoMetricFamily("quedge_service", "What the service was told to do.", told)


class _Times:
    """A histogram of times."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0

    def add(self, time_s: float) -> None:
        self.counts[bisect_left(BUCKETS_S, time_s)] += 1
        self.sum_s += time_s

    def copy(self) -> _Times:
        copied = copy(self)
        copied.counts = self.counts.copy()
        return copied

    def cumulative(self) -> list[tuple[str, float]]:
        total, buckets = 0, []
        for end, count in zip((*BUCKETS_S, math.inf), self.counts, strict=True):
            total += count
            buckets.append(("+Inf" if end == math.inf else repr(end), float(total)))
        return buckets


class _Cell:
    """What is counted of a base station's cell."""

    def __init__(self, books: Books) -> None:
        self.queues = QueuesSeen(books)
        self.next_frame = books.next_frame
        self.last: Answer | None = None
        self.candidates: float | None = None
        self.decision_times, self.answer_times = _Times(), _Times()
        self.frames = dict.fromkeys(ServedBy, 0)
        self.repeated = self.device_frames = self.offloaded = 0
        self.power_w = 0.0

    def copy(self) -> _Cell:
        copied = copy(self)
        copied.queues, copied.frames = copy(self.queues), self.frames.copy()
        copied.decision_times, copied.answer_times = self.decision_times.copy(), self.answer_times.copy()
        return copied

    def take(self, served: Served, round_trip_s: float) -> None:
        self.answer_times.add(round_trip_s)
        if served.repeated:
            self.repeated += 1
            return
        answer = served.answer
        self.decision_times.add(served.decision_s)
        self.frames[answer.served_by] += 1
        self.queues.take(answer)
        self.last, self.next_frame, self.candidates = answer, answer.frame + 1, served.remark.candidates
        self.device_frames += answer.devices.size
        self.offloaded += int(np.count_nonzero(answer.offload))
        self.power_w += float(np.add.reduce(answer.power_w))


class _Families:
    """The metrics of all base stations, while they are gathered."""

    def __init__(self) -> None:
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            SummaryMetricFamily,
        )

        of_cell = ["base_station"]

        def gauge(name: str, meaning: str) -> Any:
            return GaugeMetricFamily(f"quedge_{name}", meaning, labels=of_cell)

        def counter(name: str, meaning: str, labels: list[str] = of_cell) -> Any:
            return CounterMetricFamily(f"quedge_{name}", meaning, labels=labels)

        def times(name: str, meaning: str) -> Any:
            return HistogramMetricFamily(f"quedge_{name}", meaning, labels=of_cell)

        self.decision = times("decision_seconds", "Time in which a frame was decided.")
        self.answer = times("answer_seconds", "Time from a report's arrival to its answer.")
        self.frames = counter("frames", "Frames served, by who decided.", [*of_cell, "served_by"])
        self.repeated = counter("repeated", "Reports that had been served before, and answered once more.")
        self.refused = counter("refused", "Reports refused.", ["outcome"])
        self.offloaded = counter("offloaded", "Device-frames in which the device offloaded.")
        self.power = SummaryMetricFamily(
            "quedge_device_power_w", "Mean power of a device in a frame (W), over all device-frames.", labels=of_cell
        )
        self.queue_mean = gauge("data_queue_mean_mbit", "Mean data queue of the devices (Mbit).")
        self.queue_max = gauge("data_queue_max_mbit", "Largest data queue of a device (Mbit).")
        self.energy_mean = gauge("energy_queue_mean", "Mean virtual energy queue of the devices.")
        self.power_mean = gauge("power_mean_w", "Mean power of the devices in the last frame (W).")
        self.budget = gauge("power_budget_w", "Budget of the mean power, mean of the devices (W).")
        self.ratio = gauge("offloading_ratio", "Share of the devices that offload in the last frame.")
        self.next_frame = gauge("next_frame", "Number of the frame that is due.")
        self.gap = gauge("certified_gap", "Proven gap of the last frame, relative to its objective.")
        self.candidates = gauge("candidates", "K, candidates that the policy tried in the last frame.")

    def add(self, name: str, cell: _Cell, budget_w: float) -> None:
        of_cell = [name]
        for family, times in ((self.decision, cell.decision_times), (self.answer, cell.answer_times)):
            family.add_metric(of_cell, times.cumulative(), times.sum_s)
        for served_by, count in cell.frames.items():
            self.frames.add_metric([name, served_by.value], count)
        self.repeated.add_metric(of_cell, cell.repeated)
        self.offloaded.add_metric(of_cell, cell.offloaded)
        self.power.add_metric(of_cell, cell.device_frames, cell.power_w)
        self.queue_mean.add_metric(of_cell, float(cell.queues.data_queue_mbit.mean()))
        self.queue_max.add_metric(of_cell, float(cell.queues.data_queue_mbit.max()))
        self.energy_mean.add_metric(of_cell, float(cell.queues.energy_queue.mean()))
        self.budget.add_metric(of_cell, budget_w)
        self.next_frame.add_metric(of_cell, cell.next_frame)
        if cell.last is not None:
            self.power_mean.add_metric(of_cell, float(cell.last.power_w.mean()))
            self.ratio.add_metric(of_cell, float(cell.last.offload.mean()))
            gap = certified_gap(cell.last)
            if gap is not None:
                self.gap.add_metric(of_cell, gap)
        if cell.candidates is not None:
            self.candidates.add_metric(of_cell, cell.candidates)

    def all(self) -> list[Any]:
        return list(vars(self).values())
