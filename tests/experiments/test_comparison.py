from __future__ import annotations

import numpy as np
import pytest

from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestPair, Random
from quedge.simulation.processes import Recorded
from quedge.simulation.run import compare, simulate

SCENARIO = Scenario(devices=3)


def test_all_policies_meet_the_same_world() -> None:
    first, second = compare(SCENARIO, {"best-pair": BestPair(), "random": Random()}, frames=20, seed=3)
    assert np.array_equal(first.trace.channel_gain, second.trace.channel_gain)
    assert np.array_equal(first.trace.arrival_mbit, second.trace.arrival_mbit)
    assert [first.name, second.name] == ["best-pair", "random"]


def test_a_compared_run_is_the_run_alone() -> None:
    *_, compared = compare(SCENARIO, {"best-pair": BestPair(), "random": Random()}, frames=20, seed=3)
    alone = simulate(SCENARIO, Random(), frames=20, seed=3)
    assert np.array_equal(compared.trace.data_queue_mbit, alone.data_queue_mbit)


def test_recordings_are_played() -> None:
    gain = np.full((5, 3), 1e-9)
    (outcome,) = compare(SCENARIO, {"local": AllLocal()}, frames=4, channel=Recorded(gain), warmup=0.0)
    assert np.array_equal(outcome.trace.channel_gain, gain[:4])


def test_bad_arguments_are_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="warmup"):
        compare(SCENARIO, {}, warmup=1.0)
    with pytest.raises(ValueError, match="frames"):
        compare(SCENARIO, {}, frames=0)
    with pytest.raises(ValueError, match="2 recorded devices"):
        compare(SCENARIO, {}, frames=1, channel=Recorded(np.ones((5, 2))))


class Overdriven:
    """Asks for more than a device has."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        decision = AllLocal().decide(frame, rng)
        return decision._replace(cpu_frequency_hz=np.full(frame.cell.devices, np.nan))


def test_a_decision_that_is_not_allowed_names_its_policy() -> None:
    outcomes = compare(SCENARIO, {"fine": AllLocal(), "overdriven": Overdriven()}, frames=2)
    assert next(outcomes).name == "fine"
    with pytest.raises(ValueError, match=r"^overdriven: decision of frame 0: cpu_frequency_hz\[0\]: nan"):
        next(outcomes)


def test_progress_names_the_policy() -> None:
    told: list[tuple[str, int]] = []
    policies = {"a": AllLocal(), "b": AllLocal()}
    list(compare(SCENARIO, policies, frames=3, progress=lambda name, done: told.append((name, done))))
    assert told == [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2), ("b", 3)]
