"""Reports and controllers that the tests of the controller lay by hand or draw."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quedge.controller.controller import Controller
from quedge.controller.engine import Engine
from quedge.controller.report import Report, checked_report
from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.policy.exact import Exact
from quedge.policy.lydroo import EQUIVARIANT
from quedge.policy.policy import Learner, Policy
from quedge.simulation.world import World, draw_world

SMALL = Scenario(devices=4, pqc_power_w=0.01)
LEARNING = dataclasses.replace(EQUIVARIANT, memory=32, batch=8, update_every=2)


def reports_of(world: World) -> list[Report]:
    """A world's frames as a base station reports them: what arrives in a frame is told with the next one."""
    frames, devices = world.channel_gain.shape
    arrived = np.vstack([np.zeros(devices), world.arrival_mbit[:-1]])
    return [checked_report(devices, t, world.channel_gain[t].tolist(), arrived[t].tolist()) for t in range(frames)]


def drawn_reports(frames: int, seed: int = 1, scenario: Scenario = SMALL) -> list[Report]:
    """Reports of a drawn world."""
    return reports_of(draw_world(scenario, frames, seed))


EXACT = Exact()


def fresh(policy: Policy | Learner = EXACT, scenario: Scenario = SMALL, seed: int = 0) -> Controller:
    """A controller of a small cell that stands at its beginning."""
    return Controller(scenario, policy, seed)


def served(controller: Controller, reports: list[Report]) -> list[bytes]:
    """The answers to reports, as bytes."""
    return [controller.serve(report).packed() for report in reports]


def as_killed(path: Path, to: Path) -> Path:
    """A copy of an open journal's files, as `kill -9` would leave them."""
    for ending in ("", "-wal", "-last"):
        to.with_name(to.name + ending).write_bytes(path.with_name(path.name + ending).read_bytes())
    return to


def queues_as_bytes(controller: Controller | Engine) -> bytes:
    """The queues as bytes: what must not change where nothing was served."""
    queues = controller.queues
    return b"%d" % queues.next_frame + queues.data_queue_mbit.tobytes() + queues.energy_queue.tobytes()


@dataclass
class Sometimes:
    """The exact policy, but for some of its calls, counted from 0.

    Attributes:
        calls: where `instead` decides.
        instead: what is done there with the exact policy's decision.
        called: how often it was asked.
    """

    calls: frozenset[int]
    instead: Callable[[Frame, Decision], Any]
    called: int = 0

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """See `Policy.decide`."""
        self.called += 1
        decision = Exact().decide(frame, rng)
        if self.called - 1 in self.calls:
            return self.instead(frame, decision)  # type: ignore[no-any-return]
        return decision
