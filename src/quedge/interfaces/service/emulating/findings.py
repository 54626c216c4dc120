"""What an emulation finds: counts and times, kept as it runs."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quedge.controller.answer import ServedBy
from quedge.interfaces.service.emulating.turn import Turn
from quedge.interfaces.service.emulating.uploads import Secured
from quedge.model.frame import Status


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
    """Counts what happens, frame by frame.

    Args:
        devices: number of devices.
    """

    def __init__(self, devices: int) -> None:
        self._devices = devices
        self._counts: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._round_trips_s = array("d")
        self._begun = self._ended = time.perf_counter()

    def begin(self) -> None:
        """The first frame begins."""
        self._begun = self._ended = time.perf_counter()

    def add(self, lost: NDArray[np.bool_], away: NDArray[np.bool_], turn: Turn | None) -> None:
        """A frame has been played; `turn` is None where nobody reported."""
        counts = self._counts
        counts["frames"] += 1
        counts["lost"] += int(lost.sum())
        counts["away"] += int(away.sum())
        if turn is not None:
            self._add(turn)
        self._ended = time.perf_counter()

    def _add(self, turn: Turn) -> None:
        counts = self._counts
        counts["answered"] += not turn.refused
        counts["reports"] += len(turn.round_trips_s)
        counts["served_frames"] += len(turn.decided)
        counts["late"] += sum(decided.served_by is ServedBy.LATE for decided in turn.decided)
        counts["policy_failed"] += sum(decided.served_by is ServedBy.POLICY_FAILED for decided in turn.decided)
        counts["fallback"] += sum(decided.status is Status.FALLBACK for decided in turn.decided)
        self._refused.update(refused.outcome for refused in turn.refused)
        self._round_trips_s.extend(turn.round_trips_s)

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
