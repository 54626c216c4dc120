"""What a run in one piece, under whatever scenario was asked for last, answers."""

from __future__ import annotations

from collections.abc import Callable

from quedge import Policy, Scenario
from quedge.controller.answer import Answer, ServedBy
from quedge.controller.controller import Controller
from quedge.controller.report import Report
from quedge.controller.state import QueueState, Snapshot


class Replay:
    """A controller beside the service's, which is given the acknowledged reports.

    When a cell was migrated shows in its answers: the service may stay under a scenario, or go on to a later one.

    Args:
        scenarios: those that were asked for, in order; more may be added.
        policy: who decides.
    """

    def __init__(self, scenarios: list[Scenario], policy: Policy) -> None:
        self._scenarios, self._policy, self.place = scenarios, policy, 0
        self._controller = self._fresh(0)

    @property
    def queues(self) -> QueueState:
        """Where it stands."""
        return self._controller.queues

    @property
    def devices(self) -> int:
        """Number of devices, which may grow."""
        return self._scenarios[-1].devices

    def serve(self, report: Report, decided_by: ServedBy, agrees: Callable[[Answer], bool]) -> Answer | None:
        """Serve the next frame; None, and nothing is served, where no scenario leads to the service's answer."""
        standing = self._controller.snapshot()
        for place in range(self.place, len(self._scenarios)):
            controller = self._controller if place == self.place else self._fresh(place, standing)
            answer = controller.serve(report, decided_by)
            if agrees(answer):
                self._controller, self.place = controller, place
                return answer
            if controller is self._controller:
                controller.restore(standing)
        return None

    def widened(self) -> QueueState:
        """Where it stands, with the devices of the scenario that was asked for last."""
        return self.queues.widened(self.devices)

    def _fresh(self, place: int, standing: Snapshot | None = None) -> Controller:
        controller = Controller(self._scenarios[place], self._policy)
        if standing is not None:
            controller.restore(standing._replace(queues=standing.queues.widened(controller.devices)))
        return controller
