"""Who decides: policies as they are, learners by agents of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import quedge
from quedge.model.frame import Allocation
from quedge.policy.policy import Policy, agent_for, check_allocation, check_policy, is_learner
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


LIMITS = {"transmit_power_w": 0.1, "cpu_frequency_hz": 0.3e9, "time_share": 1.0}
"""Of the paper's devices; the first and the last of those that offload."""


def allocation_of(name: str, value: float, offloads: bool) -> Allocation:
    """The first of two devices in the mode that is said, with one value; the other one computes at rest."""
    values = {limited: np.array([value if limited == name else 0.0, 0.0]) for limited in LIMITS}
    return Allocation(np.array([offloads, False]), **values)


@pytest.mark.parametrize("name", LIMITS)
def test_a_value_may_exceed_its_limit_by_rounding_and_no_more(name: str) -> None:
    cell, offloads = drawn_frame(2, seed=0).cell, name != "cpu_frequency_hz"
    for value in (0.0, LIMITS[name], LIMITS[name] * (1.0 + 9e-10)):
        check_allocation(cell, allocation_of(name, value, offloads))
    for value in (LIMITS[name] * (1.0 + 2e-9), -1e-300, np.nan, np.inf):
        with pytest.raises(ValueError, match=rf"^{name}\[0\]: .* is not allowed; device 0 .* must lie from 0 to "):
            check_allocation(cell, allocation_of(name, value, offloads))


@pytest.mark.parametrize("name", LIMITS)
def test_a_value_of_the_other_mode_is_refused(name: str) -> None:
    cell, offloads = drawn_frame(2, seed=0).cell, name != "cpu_frequency_hz"
    mode = "computes locally" if offloads else "offloads"
    with pytest.raises(ValueError, match=rf"^{name}\[0\]: 1e-12 is not allowed; device 0 {mode}, so it must .* to 0$"):
        check_allocation(cell, allocation_of(name, 1e-12, not offloads))


def test_time_shares_are_the_whole_frame_at_most() -> None:
    cell = drawn_frame(2, seed=0).cell
    both, powers = np.ones(2, dtype=np.bool_), (np.full(2, 0.1), np.zeros(2))
    check_allocation(cell, Allocation(both, *powers, np.array([0.75, 0.25])))
    with pytest.raises(ValueError, match=r"shares of 1\.0001 in all are not allowed; they must not exceed 1"):
        check_allocation(cell, Allocation(both, *powers, np.array([0.7501, 0.25])))
