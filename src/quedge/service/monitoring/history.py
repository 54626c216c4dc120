"""The recent past of every cell, for the page: a point for each second in which something happened."""

from __future__ import annotations

import json
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge import __version__
from quedge.controller.engine import Served
from quedge.controller.outcome import Answer, ServedBy
from quedge.controller.state import Books
from quedge.service.monitoring.observers import QueuesSeen, Started, certified_gap, name_of

MOST_POINTS = 300
MOST_DEVICES = 200
"""Devices beyond this number are not shown one by one."""

COLUMNS = (
    "second", "data_queue_mbit", "power_w", "offloading_ratio", "decision_p50_s", "decision_p99_s", "served", "refused",
    "best_single",
)  # fmt: skip
"""What a point tells: when it was, in seconds since the history began; the mean data queue at its end; means over its
frames; two quantiles of the time that decisions took; and how many reports were served, refused, and served by
best-single in the policy's place."""

_STEPS_A_FACTOR_E = 20.0  # quantiles are read from buckets that are 5 % wide


class History:
    """A watcher that remembers the last points of every cell and its last frame.

    Args:
        power_budget_w: budget of each device's mean power (W), shape (devices,).
        clock: what time it is (s).
    """

    def __init__(self, power_budget_w: NDArray[np.float64], clock: Callable[[], float] = time.monotonic) -> None:
        self._devices, self._budget_w = power_budget_w.size, math.fsum(power_budget_w) / power_budget_w.size
        self._clock, self._began = clock, clock()
        self._lock = threading.Lock()
        self._cells: dict[str, _Cell] = {}
        self._refused: Counter[str] = Counter()
        self._started: Started | None = None

    def live(self, state: str) -> str:
        """All of it as JSON.

        Args:
            state: where the service is in its life, to be told with it.
        """
        second = self._second()
        stations = []
        for name, cell in list(self._cells.items()):
            with self._lock:  # for as long as a copy takes: served frames wait for it
                cell.turn_to(second)
                told, last, points = cell.told(), cell.last, list(cell.points)
            fields = _fields(name=name, **told, last=_last_frame(last))
            stations.append(f'{{{fields}, "points": [{", ".join(points)}]}}')
        service = _fields(
            version=__version__,
            state=state,
            service=None if self._started is None else self._started._asdict(),
            second=second,
            devices=self._devices,
            power_budget_w=self._budget_w,
            refused=dict(self._refused),
            columns=COLUMNS,
        )
        return f'{{{service}, "base_stations": [{", ".join(stations)}]}}'

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """See `Observer.served`."""
        second = self._second()
        with self._lock:
            cell = self._cells.get(base_station)
            if cell is None:
                cell = self._cells[base_station] = _Cell(Books.of(self._devices), second)
            cell.turn_to(second)
            cell.take(served)

    def refused(self, base_station: str, outcome: int) -> None:
        """See `Observer.refused`. A base station that was never served is anybody's invention: it gets no cell."""
        second = self._second()
        with self._lock:
            self._refused[name_of(outcome)] += 1
            cell = self._cells.get(base_station)
            if cell is not None:
                cell.turn_to(second)
                cell.refused += 1
                cell.now.refused += 1

    def restored(self, base_station: str, books: Books) -> None:
        """See `Watcher.restored`."""
        with self._lock:
            self._cells[base_station] = _Cell(books, self._second())

    def started(self, started: Started) -> None:
        """See `Watcher.started`."""
        self._started = started

    def stopping(self) -> None:
        """See `Watcher.stopping`."""

    def stopped(self) -> None:
        """See `Watcher.stopped`."""

    def _second(self) -> int:
        return int(self._clock() - self._began)


class _Second:
    """What happens within a second."""

    def __init__(self, second: int) -> None:
        self.second = second
        self.served = self.refused = self.best_single = self.device_frames = self.offloaded = 0
        self.power_w = 0.0
        self.decision_times: dict[int, int] = {}

    def take(self, served: Served) -> None:
        answer, step = served.answer, math.floor(math.log(max(served.decision_s, 1e-9)) * _STEPS_A_FACTOR_E)
        self.served += 1
        self.best_single += answer.served_by is not ServedBy.POLICY
        self.device_frames += answer.devices.size
        self.offloaded += int(np.count_nonzero(answer.offload))
        self.power_w += float(np.add.reduce(answer.power_w))
        self.decision_times[step] = self.decision_times.get(step, 0) + 1

    def point(self, data_queue_mbit: float) -> str:
        """As JSON, in the order of `COLUMNS`."""
        over = self.device_frames
        power, ratio = (self.power_w / over, self.offloaded / over) if over else (None, None)
        times = (self._quantile(0.5), self._quantile(0.99))
        numbers = (data_queue_mbit, power, ratio, *times)
        shown = ["null" if number is None else f"{number:.5g}" for number in numbers]
        return f"[{self.second}, {', '.join(shown)}, {self.served}, {self.refused}, {self.best_single}]"

    def _quantile(self, share: float) -> float | None:
        left = share * self.served
        for step in sorted(self.decision_times):
            left -= self.decision_times[step]
            if left <= 0.0:
                return math.exp((step + 0.5) / _STEPS_A_FACTOR_E)
        return None


class _Cell:
    """What is remembered of a base station's cell."""

    def __init__(self, books: Books, second: int) -> None:
        self.queues, self.next_frame = QueuesSeen(books), books.next_frame
        self.points: deque[str] = deque(maxlen=MOST_POINTS)
        self.now = _Second(second)
        self.last: Answer | None = None
        self.served = self.repeated = self.refused = 0
        self.best_single = dict.fromkeys((ServedBy.LATE, ServedBy.POLICY_FAILED), 0)

    def turn_to(self, second: int) -> None:
        """Make a point of the second that is over; one in which nothing happened leaves none."""
        if second <= self.now.second:
            return
        if self.now.served or self.now.refused:
            self.points.append(self.now.point(float(self.queues.data_queue_mbit.mean())))
        self.now = _Second(second)

    def take(self, served: Served) -> None:
        if served.repeated:
            self.repeated += 1
            return
        answer = served.answer
        self.served += 1
        if answer.served_by is not ServedBy.POLICY:
            self.best_single[answer.served_by] += 1
        self.queues.take(answer)
        self.last, self.next_frame = answer, answer.frame + 1
        self.now.take(served)

    def told(self) -> dict[str, Any]:
        return {
            "next_frame": self.next_frame,
            "served": self.served,
            "repeated": self.repeated,
            "refused": self.refused,
            "late": self.best_single[ServedBy.LATE],
            "policy_failed": self.best_single[ServedBy.POLICY_FAILED],
        }


def _last_frame(answer: Answer | None) -> dict[str, Any] | None:
    """A frame device by device, those first that have low numbers."""
    if answer is None:
        return None
    shown, gap = slice(MOST_DEVICES), certified_gap(answer)
    return {
        "frame": answer.frame,
        "served_by": answer.served_by.value,
        "status": answer.status.value,
        "certified_gap": None if gap == math.inf else gap,
        "reported": answer.devices.size,
        "devices": answer.devices[shown].tolist(),
        "offload": answer.offload[shown].tolist(),
        "data_queue_mbit": _rounded(answer.data_queue_mbit[shown]),
        "power_w": _rounded(answer.power_w[shown]),
    }


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


def _fields(**fields: Any) -> str:
    """Fields of a JSON object, without its braces."""
    return json.dumps(fields, allow_nan=False)[1:-1]
