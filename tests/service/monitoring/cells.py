"""Cells that are really served, without a network, for those who watch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from quedge.controller.answer import NO_INFO, ServedBy
from quedge.controller.controller import Controller
from quedge.controller.engine import Served
from quedge.controller.report import checked_report
from quedge.controller.shadow import Shadow, Shadowed
from quedge.model.cell import cell_of
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestSingle
from quedge.service.monitoring.observers import Started

DEVICES = 4
SCENARIO = Scenario(devices=DEVICES)
BUDGET_W = cell_of(SCENARIO).power_budget_w
STARTED = Started("127.0.0.1:7443", "best-single", "process", "none")


class Cell:
    """A cell that serves a frame whenever it is asked to."""

    def __init__(self, policy: Any = None, scenario: Scenario = SCENARIO) -> None:
        self.scenario = scenario
        self.controller = Controller(scenario, BestSingle() if policy is None else policy)

    def served(
        self,
        decided_by: ServedBy = ServedBy.POLICY,
        devices: Sequence[int] = range(DEVICES),
        decision_s: float = 3e-4,
        arrived_mbit: float = 5.0,
    ) -> Served:
        """The next frame; the devices that report get the same gain and the same arrivals."""
        gain, arrived = [1e-11] * len(devices), [arrived_mbit] * len(devices)
        before = self.controller.queues
        report = checked_report(self.scenario.devices, before.next_frame, gain, arrived, devices=devices)
        answer = self.controller.serve(report, decided_by)
        return Served(answer, False, decision_s, 1e-4, self.controller.decision_info, "", report, before)


def again(served: Served) -> Served:
    """The same report once more."""
    return served._replace(repeated=True, decision_s=0.0, waited_s=0.0, info=NO_INFO, report=None, before=None)


def shadowed(served: Served, shadow: Shadow) -> Shadowed:
    """What a shadow makes of a frame."""
    assert served.report is not None
    assert served.before is not None
    return shadow.decide(served.report, served.before, served.answer)


def mean(values: np.ndarray) -> float:
    """A mean, as a plain number."""
    return float(np.mean(values))


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now
