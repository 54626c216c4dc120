"""What is counted of every cell: the one source of the metrics and of the live page."""

from __future__ import annotations

import datetime
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from quedge.controller.answer import ServedBy
from quedge.controller.engine import Served
from quedge.controller.shadow import Shadowed
from quedge.controller.state import QueueState
from quedge.service.limits import Limit
from quedge.service.monitoring.observers import REFUSALS, Observer, Started, outcome_name
from quedge.service.monitoring.shadow_statistics import ShadowStatistics
from quedge.service.monitoring.times import Times

MAX_POINTS = 300

POINT_COLUMNS = (
    "second", "data_queue_mbit", "power_w", "offloading_ratio", "decision_p50_s", "decision_p99_s", "served", "refused",
    "best_single", "shadow_data_queue_mbit", "shadow_power_w",
)  # fmt: skip
"""What a point tells of a second in which something happened: when it was, in seconds since the statistics began; the
mean data queue at its end; means over its frames, of the offloading ratio over all devices of the cell; two quantiles
of the time that decisions took; how many reports were served, refused, and served by best-single in the policy's place;
and of a shadow the mean of its would-be queues and of the power that it would draw."""

_STEPS_A_FACTOR_E = 20.0  # a point's quantiles are read from buckets that are 5 % wide
_COUNTED = (*ServedBy, "repeated", "refused", "device_frames", "offloaded", "power_w")


class Statistics(Observer):
    """An observer that counts, in plain numbers; it may be read from any thread.

    Args:
        power_budget_w: budget of each device's mean power (W), shape (devices,).
        clock: what time it is (s).

    Attributes:
        devices: number of devices of each cell.
        power_budget_w: mean of the devices' budgets (W).
        began: when the service began, in seconds since 1970.
        state: where the service is in its life: "starting", "compiling", "standby, " and how it stands, "ready",
            "stopping" or "stopped".
        standby_in_sync: whether a standby has all that was acknowledged, and may take over; None where none ever had.
        running: what the service said of itself when it took reports; None before.
        refusals: reports that were refused, by the outcome's name.
        certificate_expiry: when the certificate in use expires, in seconds since 1970; None in plain text.
        health_error: what is wrong with the service; None where all is well.
        renewals_refused: how often changed certificates could not be used.
        handshake_failures: TLS handshakes that failed, by why.
        limits: how often more was asked for than is allowed, by what.
        reloads: how often what the service was told to be was read once more: "taken" or "refused".
    """

    def __init__(self, power_budget_w: NDArray[np.float64], clock: Callable[[], float] = time.monotonic) -> None:
        self._take_budget(power_budget_w)
        self.began, self.state = time.time(), "starting"
        self.running: Started | None = None
        self.refusals = Counter(dict.fromkeys(REFUSALS, 0))
        self.certificate_expiry: float | None = None
        self.renewals_refused = 0
        self.handshake_failures: Counter[str] = Counter()
        self.limits = Counter(dict.fromkeys(map(str, Limit), 0))
        self.reloads = {"taken": 0, "refused": 0}
        self.health_error: str | None = None
        self.standby_in_sync: bool | None = None
        self._clock, self._clock_began = clock, clock()
        self._lock = threading.Lock()
        self._cells: dict[str, CellStatistics] = {}

    @property
    def second(self) -> int:
        """Seconds since it began."""
        return int(self._clock() - self._clock_began)

    def cells(self) -> Iterator[tuple[str, CellStatistics]]:
        """A copy of each cell's statistics, by the base station's name."""
        for name, cell in list(self._cells.items()):
            with self._lock:  # for as long as a copy takes: served frames wait for it
                cell.close_second(self.second)
                copied = cell.copied()
            yield name, copied

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """See `Observer.served`."""
        with self._lock:
            cell = self._cells.get(base_station)
            if cell is None:
                cell = self._cells[base_station] = CellStatistics(QueueState.empty(self.devices), self.second)
            cell.close_second(self.second)
            cell.take(served, round_trip_s)

    def refused(self, base_station: str, outcome: int, peer: str = "") -> None:
        """See `Observer.refused`. A base station that was never served is anybody's invention: it gets no cell."""
        with self._lock:
            self.refusals[outcome_name(outcome)] += 1
            cell = self._cells.get(base_station)
            if cell is not None:
                cell.close_second(self.second)
                cell.counts["refused"] += 1

    def stream_began(self, base_station: str, method: str, peer: str) -> None:
        """See `Observer.stream_began`."""
        self._count_streams(base_station, 1)

    def stream_ended(self, base_station: str, method: str, peer: str) -> None:
        """See `Observer.stream_ended`."""
        self._count_streams(base_station, -1)

    def handshake_failed(self, reason: str, peer: str) -> None:
        """See `Observer.handshake_failed`."""
        with self._lock:
            self.handshake_failures[reason] += 1

    def limited(self, limit: str, peer: str) -> None:
        """See `Observer.limited`."""
        with self._lock:
            self.limits[limit] += 1

    def restored(self, base_station: str, incarnation: str, queues: QueueState, lost_frames: int) -> None:
        """See `Observer.restored`."""
        self.begun(base_station, incarnation, queues)

    def begun(self, base_station: str, incarnation: str, queues: QueueState, set_aside: str = "") -> None:
        """See `Observer.begun`."""
        with self._lock:
            self._cells[base_station] = CellStatistics(queues, self.second)
            self._cells[base_station].incarnation = incarnation

    def left(self, base_station: str) -> None:
        """See `Observer.left`."""
        with self._lock:
            self._cells.pop(base_station, None)

    def reloaded(self, changed: Sequence[str], power_budget_w: NDArray[np.float64]) -> None:
        """See `Observer.reloaded`."""
        self.reloads["taken"] += 1
        self._take_budget(power_budget_w)

    def reload_refused(self, why: str) -> None:
        """See `Observer.reload_refused`."""
        self.reloads["refused"] += 1

    def migrated(self, base_station: str, queues: QueueState) -> None:
        """See `Observer.migrated`."""
        with self._lock:
            cell = self._cells.get(base_station)
            if cell is not None:
                cell.migrations += 1
                cell.queues = cell.queues.widened(queues.data_queue_mbit.size)

    def shadowed(self, base_station: str, shadowed: Shadowed) -> None:
        """See `Observer.shadowed`."""
        with self._lock:
            if base_station in self._cells:
                self._cells[base_station].of_shadow().take(shadowed)

    def shadow_dropped(self, base_station: str, why: str) -> None:
        """See `Observer.shadow_dropped`."""
        with self._lock:
            if base_station in self._cells:
                self._cells[base_station].of_shadow().dropped += 1

    def health_changed(self, error: str | None) -> None:
        """See `Observer.health_changed`."""
        self.health_error = error

    def certificate_used(self, expires: datetime.datetime) -> None:
        """See `Observer.certificate_used`."""
        self.certificate_expiry = expires.timestamp()

    def renewal_refused(self, why: str) -> None:
        """See `Observer.renewal_refused`."""
        with self._lock:
            self.renewals_refused += 1

    def standby_changed(self, how: str) -> None:
        """See `Observer.standby_changed`."""
        self.standby_in_sync = how == "in sync"

    def standing_by(self, how: str) -> None:
        """See `Observer.standing_by`."""
        self.state = f"standby, {how}"

    def compiling(self) -> None:
        """See `Observer.compiling`."""
        self.state = "compiling"

    def started(self, started: Started) -> None:
        """See `Observer.started`."""
        self.running, self.state = started, "ready"

    def stopping(self) -> None:
        """See `Observer.stopping`."""
        self.state = "stopping"

    def stopped(self) -> None:
        """See `Observer.stopped`."""
        self.state = "stopped"

    def _count_streams(self, base_station: str, change: int) -> None:
        with self._lock:
            cell = self._cells.get(base_station)
            if cell is not None:
                cell.open_streams += change

    def _take_budget(self, power_budget_w: NDArray[np.float64]) -> None:
        self.devices, self.power_budget_w = power_budget_w.size, math.fsum(power_budget_w) / power_budget_w.size


class CellStatistics:
    """What is counted of a base station's cell.

    Attributes:
        incarnation: identity of the cell's state.
        queues: both queues of every device; one that was not in a frame keeps what was last seen of it.
        last: the last frame; None before the first one.
        open_streams: streams that report for the base station now.
        counts: frames by who decided; reports `repeated` and `refused`; `device_frames`, those of them in which the
            device `offloaded`, and the sum of their `power_w`.
        decision_times: histogram over all frames.
        answer_times: histogram over all answers.
        shadow: what is counted of its shadow; None without one.
        points: the last seconds in which something happened, each a JSON array in the order of `POINT_COLUMNS`.
    """

    def __init__(self, queues: QueueState, second: int) -> None:
        self.queues = queues
        self.incarnation = ""
        self.migrations = 0
        self.last: Served | None = None
        self.open_streams = 0
        self.counts: dict[str, float] = dict.fromkeys(_COUNTED, 0)
        self.decision_times, self.answer_times = Times(), Times()
        self.shadow: ShadowStatistics | None = None
        self.points: deque[str] = deque(maxlen=MAX_POINTS)
        self._begin_second(second)

    def take(self, served: Served, round_trip_s: float) -> None:
        """Count an answer."""
        counts, answer = self.counts, served.answer
        self.answer_times.add(round_trip_s)
        if served.repeated:
            counts["repeated"] += 1
            return
        self.decision_times.add(served.decision_s)
        step = math.floor(math.log(max(served.decision_s, 1e-9)) * _STEPS_A_FACTOR_E)
        self._steps[step] = self._steps.get(step, 0) + 1
        self.queues, self.last = self.queues.after(answer), served
        counts[answer.served_by] += 1
        counts["device_frames"] += answer.devices.size
        counts["offloaded"] += int(np.count_nonzero(answer.offload))
        counts["power_w"] += float(np.add.reduce(answer.power_w))

    def close_second(self, second: int) -> None:
        """Make a point of the second that is over; one in which nothing happened leaves none."""
        if second <= self._second:
            return
        since = {name: count - self._before[name] for name, count in self.counts.items()}
        served = sum(since[served_by] for served_by in ServedBy)
        if served or since["refused"]:
            over = since["device_frames"]
            power_w = since["power_w"] / over if over else None
            ratio = since["offloaded"] / (served * self.queues.data_queue_mbit.size) if served else None
            quantiles = self._quantile(0.5), self._quantile(0.99)
            numbers = (float(self.queues.data_queue_mbit.mean()), power_w, ratio, *quantiles)
            counted = served, since["refused"], served - since[ServedBy.POLICY]
            of_shadow = (None, None) if self.shadow is None else self.shadow.of_second()
            columns = [str(self._second), *map(_shown, numbers), *map(str, counted), *map(_shown, of_shadow)]
            self.points.append(f"[{', '.join(columns)}]")
        self._begin_second(second)

    def of_shadow(self) -> ShadowStatistics:
        """What is counted of its shadow, from now on if nothing was before."""
        if self.shadow is None:
            self.shadow = ShadowStatistics()
        return self.shadow

    def copied(self) -> CellStatistics:
        """A copy that does not change."""
        copied = copy(self)
        copied.counts, copied.points = self.counts.copy(), self.points.copy()
        copied.decision_times, copied.answer_times = self.decision_times.copied(), self.answer_times.copied()
        copied.shadow = None if self.shadow is None else self.shadow.copied()
        return copied

    def _begin_second(self, second: int) -> None:
        self._second, self._before = second, self.counts.copy()
        self._steps: dict[int, int] = {}  # decisions by the logarithm of their time

    def _quantile(self, share: float) -> float | None:
        left = share * sum(self._steps.values())
        for step in sorted(self._steps):
            left -= self._steps[step]
            if left <= 0.0:
                return math.exp((step + 0.5) / _STEPS_A_FACTOR_E)
        return None


def _shown(number: float | None) -> str:
    return "null" if number is None else f"{number:.5g}"
