"""Compiles what most tests need: `python -m tests.compiling PART`, each part in a process beside the others."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from quedge.model.scenario import Scenario
from quedge.policy.policy import Learner, Policy
from quedge.simulation.measures import summarise
from quedge.simulation.run import simulate
from quedge.simulation.trace import Trace

ROOT = Path(__file__).parent.parent
ENOUGH_TO_LEARN = 60  # frames


def compile_runs() -> None:
    """The exact policy, the frame loop, and the cells side by side."""
    from quedge.policy.exact import Exact
    from quedge.simulation.vector_cells.action import Actions
    from quedge.simulation.vector_cells.cells import VectorCells

    summarise(run(Exact()))
    cells = VectorCells(Scenario(devices=3), 2, 5, Actions.OFFLOAD)
    cells.restart([1, 2])
    cells.step(np.ones((2, 3), dtype=np.bool_))


def compile_allocators_and_learners() -> None:
    """The allocators and the agents, then every policy."""
    from tests.frames import drawn_frame
    from tests.policies import ALLOCATORS, POLICIES

    for allocator in reversed(ALLOCATORS):
        allocator.allocate(drawn_frame(3, seed=0), np.array([True, False, True]))
    for policy in reversed(POLICIES):
        run(policy)


def run(policy: Policy | Learner) -> Trace:
    return simulate(Scenario(devices=3), policy, frames=ENOUGH_TO_LEARN)


PARTS = {"runs": compile_runs, "the-rest": compile_allocators_and_learners}

if __name__ == "__main__":
    PARTS[sys.argv[1]]()
