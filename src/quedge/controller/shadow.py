"""A shadow of one cell: a second policy decides the frames that another one serves; nobody is sent what it decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from quedge.controller.answer import Answer, ServedBy
from quedge.controller.controller import Controller
from quedge.controller.report import Report
from quedge.controller.state import QueueState


class Shadowed(NamedTuple):
    """What a shadow makes of a frame that was served.

    Attributes:
        served_objective: objective (17) of what was served, at the queues that were served.
        same_state: what the shadow decides in that very frame, at the served queues.
        would_be: what it decides at its own would-be queues, those to which its own decisions have led.
        queues: its would-be queues after the frame.
        began_anew: whether the would-be queues began at the served ones in this frame.
        decision_s: time in which it decided at its would-be queues (s).
        failure: why it failed, which best-single then decided in its place; empty where it did not.
    """

    served_objective: float
    same_state: Answer
    would_be: Answer
    queues: QueueState
    began_anew: bool
    decision_s: float
    failure: str = ""

    @property
    def difference(self) -> float | None:
        """How much more objective (17) the shadow reaches than what was served, in that frame; None if it failed."""
        if self.same_state.served_by is not ServedBy.POLICY:
            return None
        return self.same_state.objective - self.served_objective


class Shadow:
    """Decides beside the policy that serves a cell, each frame twice: at the served queues, and at its own.

    Its own queues begin where the served ones stand before the first frame that it is told of, have the same arrivals
    and gains, and follow from its own decisions. Where a frame is missing between two, they begin anew. The same frames
    give the same decisions, bit for bit.

    Args:
        fresh: makes a controller of the shadow's policy, which must not learn; it is called twice.
        clock: what time it is (s).
    """

    def __init__(self, fresh: Callable[[], Controller], clock: Callable[[], float] = time.perf_counter) -> None:
        self._same_state, self._would_be, self._clock = fresh(), fresh(), clock
        self._is_due: int | None = None  # the frame that goes on from the last one

    def decide(self, report: Report, before: QueueState, answer: Answer) -> Shadowed:
        """Decide a frame that was served.

        Args:
            report: what was reported.
            before: the served queues before it.
            answer: what was answered.
        """
        began_anew = report.frame != self._is_due
        if began_anew:
            self._would_be.stand_at(before)
        self._same_state.stand_at(before)
        same_state = self._same_state.serve(report)
        began = self._clock()
        would_be = self._would_be.serve(_as_arrivals(report, before))
        decision_s = self._clock() - began
        self._is_due = report.frame + 1
        failure = self._would_be.decision_info.failure or self._same_state.decision_info.failure
        return Shadowed(
            answer.objective, same_state, would_be, self._would_be.queues, began_anew, decision_s, failure
        )  # fmt: skip


def _as_arrivals(report: Report, before: QueueState) -> Report:
    """The report with what arrived in place of measured queues, which are those of the decisions that were served.

    What arrived is what the queue has grown by since the last decision, 0 where it has not.
    """
    measured = ~np.isnan(report.data_queue_mbit)
    if not measured.any():
        return report
    grown = np.maximum(report.data_queue_mbit - before.data_queue_mbit[report.devices], 0.0)
    arrived = np.where(measured, grown, report.arrived_mbit)
    return report._replace(arrived_mbit=arrived, data_queue_mbit=np.full(measured.size, np.nan))
