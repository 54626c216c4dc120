"""Who decides: policies as they are, learners by agents of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import quedge
from quedge.policy.policy import Policy, agent_for, check_policy, is_learner
from tests.frames import drawn_frame


class Counting:
    """Decides as best-single, and tells the number of the frame."""

    def __init__(self) -> None:
        self.frames = 0

    def decide(self, frame: quedge.Frame, rng: np.random.Generator) -> quedge.Decision:
        self.frames += 1
        return quedge.BestSingle().decide(frame, rng)._replace(notes={"frames": float(self.frames)})


@dataclass(frozen=True)
class Learning:
    def new_agent(self, devices: int, rng: np.random.Generator) -> Policy:
        return Counting()


@dataclass(frozen=True)
class LearningOfBefore:
    """A learner by the name that `new_agent` had at first."""

    def begin(self, devices: int, rng: np.random.Generator) -> Policy:
        return Counting()


@pytest.mark.parametrize("learner", [Learning(), LearningOfBefore()], ids=repr)
def test_every_run_of_a_learner_takes_a_new_agent(learner: quedge.Learner) -> None:
    check_policy(learner)
    assert is_learner(learner)
    for _ in range(2):
        trace = quedge.simulate(quedge.Scenario(devices=2), learner, frames=3)
        np.testing.assert_array_equal(trace.notes["frames"], [1.0, 2.0, 3.0])
    frame = drawn_frame(2, seed=0)
    assert quedge.decide(quedge.Scenario(devices=2), *frame[1:], policy=learner).notes == {"frames": 1.0}


def test_a_policy_is_its_own_agent() -> None:
    policy = quedge.Exact()
    assert not is_learner(policy)
    assert agent_for(policy, 3, np.random.default_rng(0)) is policy
