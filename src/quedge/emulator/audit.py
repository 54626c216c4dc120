"""An independent audit of the service's answers, and what was found."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quedge.controller.answer import ServedBy
from quedge.controller.edge_server import EdgeServer
from quedge.emulator.stations import FrameResult, Reports
from quedge.emulator.uploads import Secured
from quedge.model.backoff import planned_gain_share
from quedge.model.cell import cell_of, check_ungrouped
from quedge.model.frame import DATA_QUEUE_MBIT, ENERGY_QUEUE, Decision, Frame, Status
from quedge.model.scenario import Scenario
from quedge.model.uplink import predicted_outcome
from quedge.policy.policy import check_decision
from quedge.service.client.messages import CellState, Decided, next_frame_of
from quedge.service.methods import DEVICE_VALUES

_ROUNDING = 1e-9  # relative
_MAX_DESCRIBED = 5


class Audit:
    """Keeps both queues of every device, and compares.

    After a violation the service's own word is taken, so that one mistake is counted once.

    Args:
        scenario: the cell.
        state: where the service says that the cell stands; None where it begins.

    Attributes:
        violations: number of answers that were wrong in some way.
        described: what was wrong with the first few.
    """

    def __init__(self, scenario: Scenario, state: CellState | None) -> None:
        self._cell, self._planned_share = cell_of(scenario), planned_gain_share(scenario)
        check_ungrouped(self._cell, "in an emulation of the service")
        nothing = np.zeros(scenario.devices)
        self._server = EdgeServer(scenario, self._cell)
        self._server_queue = nothing.copy() if state is None else None  # of a service that stands, it is not told
        self._next_frame = next_frame_of(state)
        self._data_queue = nothing.copy() if state is None else state.data_queue_mbit.copy()
        self._energy_queue = nothing.copy() if state is None else state.energy_queue.copy()
        self.violations = 0
        self.described: list[str] = []

    def check(self, reports: Reports, decided: Decided) -> None:
        """Check a frame's answer against what was reported, and go on from the queues that it tells."""
        try:
            self._check(reports, decided)
        except ValueError as error:
            self.violations += 1
            if len(self.described) < _MAX_DESCRIBED:
                self.described.append(f"frame {decided.frame}: {error}")
        self._next_frame = decided.frame + 1
        told = (decided.data_queue_mbit, decided.energy_queue)
        for queue, values in zip((self._data_queue, self._energy_queue), told, strict=True):
            fine = np.isin(decided.devices, reports.devices)
            if values.shape == fine.shape and np.isfinite(values).all():
                queue[decided.devices[fine]] = values[fine]

    def _check(self, reports: Reports, decided: Decided) -> None:
        _check_form(reports.devices, decided)
        if decided.frame != self._next_frame:
            raise ValueError(f"is answered where frame {self._next_frame} was due")
        devices = decided.devices
        cell, gain = self._cell.only(devices), reports.channel_gain[devices] * self._planned_share[devices]
        queue = np.minimum(self._data_queue[devices] + reports.arrived_mbit[devices], DATA_QUEUE_MBIT.highest)
        energy = self._energy_queue[devices]
        powers = decided.offload, decided.transmit_power_w, decided.cpu_frequency_hz
        decision = Decision(*powers, decided.rate_mbps, decided.power_w, 0.0, time_share=decided.time_share)
        check_decision(cell, decision)
        _check_most("rate_mbps", devices, decided.rate_mbps, queue / cell.frame_s)
        frame = Frame(cell, gain, queue, energy)
        if self._server_queue is not None:
            frame = self._server.frame(frame, devices, self._server_queue)
            told = decided.offload, decided.rate_mbps
            self._server_queue = self._server.after(self._server_queue, devices, *told)
        rate, power, objective = predicted_outcome(frame, decision.allocation)
        _check_equal("rate_mbps", devices, decided.rate_mbps, rate)
        _check_equal("power_w", devices, decided.power_w, power)
        left = np.maximum(queue - rate * cell.frame_s, 0.0)
        _check_equal("data_queue_mbit", devices, decided.data_queue_mbit, left)
        spent = np.maximum(energy + cell.nu * (power - cell.power_budget_w), 0.0)
        _check_equal("energy_queue", devices, decided.energy_queue, np.minimum(spent, ENERGY_QUEUE.highest))
        if not np.isnan(decided.objective) and (self._server_queue is not None or not self._server.is_finite):
            _check_objective(decided, objective)


def _check_form(reported: NDArray[np.int64], decided: Decided) -> None:
    count = decided.devices.size
    if count == 0 or not np.isin(decided.devices, reported).all() or (np.diff(decided.devices) <= 0).any():
        raise ValueError(f"devices: {decided.devices.tolist()} is not allowed; {reported.tolist()} reported")
    for name in ("offload", "time_share", *DEVICE_VALUES):
        values = getattr(decided, name)
        if values is None:
            continue
        if values.shape != (count,):
            raise ValueError(f"{name}: {values.size} values are not allowed; {count} devices reported")
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: {values.tolist()} is not allowed; they must be numbers")


def _check_most(name: str, devices: NDArray[np.int64], told: NDArray[np.float64], most: NDArray[np.float64]) -> None:
    over = told > most * (1.0 + _ROUNDING)
    if over.any():
        place = int(np.argmax(over))
        allowed = f"its queue holds {most[place]}"
        raise ValueError(f"{name}: {told[place]} of device {devices[place]} is not allowed; {allowed}")


def _check_equal(name: str, devices: NDArray[np.int64], told: NDArray[np.float64], found: NDArray[np.float64]) -> None:
    differs = np.abs(told - found) > _ROUNDING * np.maximum(np.abs(found), 1.0)
    if differs.any():
        place = int(np.argmax(differs))
        raise ValueError(f"{name}: {told[place]} is told of device {devices[place]}, and {found[place]} follows")


def _check_objective(decided: Decided, found: float) -> None:
    near = _ROUNDING * max(abs(found), 1.0)
    if not abs(decided.objective - found) <= near:
        raise ValueError(f"objective: {decided.objective} is told, and {found} follows")
    if decided.upper_bound is not None and not decided.upper_bound >= found - near:
        raise ValueError(f"upper_bound: {decided.upper_bound} is told, and the objective {found} is above it")


@dataclass(frozen=True)
class Findings:
    """What an emulation found.

    Attributes:
        devices: number of devices.
        frames: frames that were played.
        answered: those of them in which every report that was sent got a decision.
        reports: reports that were sent: a device's or, of a base station, a frame's.
        lost: devices' reports that were lost on purpose.
        away: devices' reports that were not sent because a device had closed its stream.
        refused: number of refusals by outcome.
        served_frames: frames of the service that were decided.
        late: those of them that best-single decided because the report had waited too long.
        policy_failed: those that it decided because the policy had failed.
        fallback: those in which a solver failed.
        violations: answers and uploads that were wrong.
        described: what was wrong with the first few.
        rate_hz: frames a second that were played.
        round_trip_ms: time from a report to its answer (ms), by its percentile: "p50", "p95", "p99", "max"; without
            answers it is empty.
        secured: what was uploaded; None where nothing was to be.
        interrupted: whether it was ended before its last frame.
        trouble: why it ended, where the service was lost; empty otherwise.
    """

    devices: int
    frames: int
    answered: int
    reports: int
    lost: int
    away: int
    refused: dict[str, int]
    served_frames: int
    late: int
    policy_failed: int
    fallback: int
    violations: int
    described: tuple[str, ...]
    rate_hz: float
    round_trip_ms: dict[str, float]
    secured: Secured | None
    interrupted: bool
    trouble: str


class Tally:
    """Counts what happens to so many devices, frame by frame."""

    def __init__(self, devices: int) -> None:
        self._devices = devices
        self._counts: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._round_trips_s = array("d")
        self._begun = self._ended = time.perf_counter()

    def begin(self) -> None:
        """The first frame begins."""
        self._begun = self._ended = time.perf_counter()

    def add(self, lost: NDArray[np.bool_], away: NDArray[np.bool_], result: FrameResult | None) -> None:
        """A frame has been played; `result` is None where nobody reported."""
        counts = self._counts
        counts["frames"] += 1
        counts["lost"] += int(lost.sum())
        counts["away"] += int(away.sum())
        if result is not None:
            self._add(result)
        self._ended = time.perf_counter()

    def _add(self, result: FrameResult) -> None:
        counts = self._counts
        counts["answered"] += not result.refused
        counts["reports"] += len(result.round_trips_s)
        counts["served_frames"] += len(result.decided)
        counts["late"] += sum(decided.served_by is ServedBy.LATE for decided in result.decided)
        counts["policy_failed"] += sum(decided.served_by is ServedBy.POLICY_FAILED for decided in result.decided)
        counts["fallback"] += sum(decided.status is Status.FALLBACK for decided in result.decided)
        self._refused.update(refused.outcome for refused in result.refused)
        self._round_trips_s.extend(result.round_trips_s)

    def found(
        self, violations: int, described: list[str], secured: Secured | None, interrupted: bool, trouble: str
    ) -> Findings:
        """What was found, with what others found."""
        names = ("frames", "answered", "reports", "lost", "away", "served_frames", "late", "policy_failed", "fallback")
        spent = self._ended - self._begun
        times_ms = 1e3 * np.frombuffer(self._round_trips_s)
        marks = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}
        return Findings(
            devices=self._devices,
            **{name: self._counts[name] for name in names},
            refused=dict(self._refused),
            violations=violations + (0 if secured is None else secured.violations),
            described=(*described, *(() if secured is None else secured.described)),
            rate_hz=self._counts["frames"] / spent if spent > 0.0 else 0.0,
            round_trip_ms={m: float(np.percentile(times_ms, q)) for m, q in marks.items()} if times_ms.size else {},
            secured=secured,
            interrupted=interrupted,
            trouble=trouble,
        )
