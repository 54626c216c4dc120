from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from quedge.experiments.model_free.algorithms import DDPG, DQN, PPO, SAC, TD3, Algorithm
from quedge.experiments.model_free.trainer import ModelFree
from quedge.experiments.probes.learning_cost import LearningCost
from quedge.experiments.probes.simulation import Simulation
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal
from quedge.policy.lydroo import Lydroo
from quedge.simulation.measures import summarise
from quedge.simulation.processes import ExponentialArrivals, RicianFading
from quedge.simulation.run import simulate
from quedge.simulation.vector_cells.action import Actions
from quedge.simulation.vector_cells.cells import VectorCells
from tests.experiments.jobs import job
from tests.frames import drawn_frame

pytest.importorskip("stable_baselines3")

CELL = Scenario(devices=3)
QUICK_PPO = dataclasses.replace(PPO, settings={**PPO.settings, "batch_size": 128})
SMALL = ModelFree(QUICK_PPO, experience=10, cells=16, episode=50, hidden=(16,))
OFF_POLICY = {
    each.name: dataclasses.replace(each, settings={**each.settings, "learning_starts": 64, "batch_size": 32})
    for each in (SAC, TD3, DDPG, DQN)
}
every_off_policy = pytest.mark.parametrize("algorithm", OFF_POLICY.values(), ids=OFF_POLICY)
WORLD = (RicianFading(), ExponentialArrivals())


def test_the_same_seed_trains_the_same_policy_and_another_one_another() -> None:
    import torch

    threads = torch.get_num_threads()
    one, same, other = (SMALL.train(CELL, 60, seed, *WORLD).policy for seed in (1, 1, 2))
    frame = drawn_frame(3, 0)
    np.testing.assert_array_equal(one.output(frame), same.output(frame))
    assert (one.output(frame) != other.output(frame)).any()
    assert torch.get_num_threads() == threads


def test_it_learns_from_what_it_is_told_and_counts_whole_updates() -> None:
    trained = SMALL.train(CELL, 60, 0, *WORLD)
    assert trained.frames == 2 * 16 * 32  # 600 frames are more than one update of 512
    assert trained.cpu_s > 0.0


def test_it_comes_closer_to_the_optimum_the_more_it_has_seen() -> None:
    ratios = [
        summarise(
            simulate(CELL, dataclasses.replace(SMALL, experience=each).train(CELL, 400, 0, *WORLD).policy, 400, 7)
        )
        for each in (1, 150)
    ]
    assert ratios[1].objective_ratio > max(ratios[0].objective_ratio, 0.85)


@pytest.mark.parametrize("algorithm", [QUICK_PPO, *OFF_POLICY.values()], ids=lambda each: each.name)
def test_the_policy_decides_as_the_trained_network_without_exploration(
    algorithm: Algorithm, monkeypatch: pytest.MonkeyPatch
) -> None:
    import stable_baselines3

    kind = getattr(stable_baselines3, algorithm.name)
    agents = []

    class Kept(kind):  # type: ignore[misc]
        def __init__(self, *arguments: object, **keys: object) -> None:
            super().__init__(*arguments, **keys)
            agents.append(self)

    monkeypatch.setattr(stable_baselines3, algorithm.name, Kept)
    settings = ModelFree(algorithm, experience=10, cells=4, episode=30, hidden=(16, 8))
    policy = settings.train(CELL, 30, 0, *WORLD).policy
    (agent,) = agents
    cells = VectorCells(CELL, 4, 30, Actions.OFFLOAD)
    cells.restart([1, 2, 3, 4])
    for _ in range(30):
        taken, _ = agent.predict(cells.observations(), deterministic=True)
        decided = [policy.decide(cells.frame_of(b), np.random.default_rng(0)).offload for b in range(4)]
        np.testing.assert_array_equal(decided, algorithm.action.offload(taken, 3))
        cells.step(np.random.default_rng(0).random((4, 3)) < 0.5)


@every_off_policy
def test_the_same_seed_trains_the_same_policy_off_policy_too(algorithm: Algorithm) -> None:
    settings = ModelFree(algorithm, experience=10, cells=4, episode=30, hidden=(16,))
    one, same, other = (settings.train(CELL, 30, seed, *WORLD) for seed in (1, 1, 2))
    frame = drawn_frame(3, 0)
    assert one.frames == 300
    np.testing.assert_array_equal(one.policy.output(frame), same.policy.output(frame))  # type: ignore[attr-defined]
    assert (one.policy.output(frame) != other.policy.output(frame)).any()  # type: ignore[attr-defined]


def test_a_joint_action_counts_decisions_in_binary_and_refuses_too_many_devices() -> None:
    np.testing.assert_array_equal(
        DQN.action.offload(np.array([0, 1, 6]), 3), [[False] * 3, [True, False, False], [False, True, True]]
    )
    with pytest.raises(ValueError, match="devices: 13 is not allowed; it must be at most 12"):
        ModelFree(DQN).train(Scenario(devices=13), 10, 0, *WORLD)


def test_cells_restart_in_the_step_that_ends_their_worlds_and_tell_what_was_seen_last() -> None:
    from quedge.environment.stable_baselines import StableBaselinesEnv
    from quedge.environment.vector import OffloadingVectorEnv

    cells = StableBaselinesEnv(OffloadingVectorEnv(2, CELL, 3), 0)
    begun = cells.reset()
    for t in range(7):
        seen, reward, ended, infos = cells.step(np.zeros((2, 3)))
        assert reward.shape == (2,)
        assert ended.tolist() == [t % 3 == 2] * 2
        if t % 3 == 2:
            assert (seen[:, 3:] == 0.0).all()  # empty queues
            assert (seen[:, :3] != begun[:, :3]).any()  # of a new world
            assert all(
                info["TimeLimit.truncated"] and (info["terminal_observation"][3:6] > 0.0).all() for info in infos
            )
        else:
            assert infos == [{}, {}]


def test_it_observes_and_decides_in_the_spaces_of_the_environment() -> None:
    from quedge.environment.offloading import OffloadingEnv
    from quedge.environment.stable_baselines import StableBaselinesEnv
    from quedge.environment.vector import OffloadingVectorEnv

    cells, env = StableBaselinesEnv(OffloadingVectorEnv(2, CELL, 3), 0), OffloadingEnv(CELL)
    assert cells.observation_space == env.observation_space
    assert cells.action_space == env.action_space


def test_the_cost_of_learning_is_told_of_whoever_learns() -> None:
    probe = LearningCost(Simulation(points=2))
    found = {
        name: dataclasses.replace(job(probe=probe, frames=30), policy=policy).run()
        for name, policy in (("none", AllLocal()), ("as it goes", Lydroo()), ("before", SMALL))
    }
    assert [each["experience_frames"] for each in found.values()] == [0.0, 30.0, 512.0]
    assert found["none"]["learning_cpu_s"] == 0.0
    assert all(found[name]["learning_cpu_s"] > 0.0 for name in ("as it goes", "before"))


def test_its_run_is_that_of_the_trained_policy_in_the_job_s_world() -> None:
    found = dataclasses.replace(job(probe=LearningCost(), frames=30, seed=3), policy=SMALL).run()
    scenario = Scenario(devices=2)
    trace = simulate(scenario, SMALL.train(scenario, 30, 3, *WORLD).policy, 30, 3)
    assert found["objective_ratio"] == summarise(trace).objective_ratio
