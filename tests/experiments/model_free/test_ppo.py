from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from quedge.experiments.model_free.ppo import Ppo
from quedge.experiments.probes.simulation import LearningCost, Simulation
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
SMALL = Ppo(experience=10, cells=16, episode=50, steps=32, batch=128, hidden=(16,))
WORLD = (RicianFading(), ExponentialArrivals())


def test_the_same_seed_trains_the_same_policy_and_another_one_another() -> None:
    import torch

    threads = torch.get_num_threads()
    one, same, other = (SMALL.train(CELL, 60, seed, *WORLD).policy for seed in (1, 1, 2))
    frame = drawn_frame(3, 0)
    np.testing.assert_array_equal(one.logits(frame), same.logits(frame))
    assert (one.logits(frame) != other.logits(frame)).any()
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


def test_the_policy_decides_as_the_trained_network_at_its_most_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    import stable_baselines3

    from quedge.environment.offloading import OffloadingVectorEnv
    from quedge.experiments.model_free import training

    agents = []

    class Kept(stable_baselines3.PPO):  # type: ignore[misc]
        def __init__(self, *arguments: object, **keys: object) -> None:
            super().__init__(*arguments, **keys)
            agents.append(self)

    monkeypatch.setattr(training, "PPO", Kept)
    cells = VectorCells(CELL, 4, 30, Actions.OFFLOAD)
    policy, _ = training.trained(OffloadingVectorEnv(4, CELL, 30), 200, 0, (16, 8), {"n_steps": 32, "batch_size": 64})
    (agent,) = agents
    cells.restart([1, 2, 3, 4])
    for _ in range(30):
        chosen, _ = agent.predict(cells.observations(), deterministic=True)
        decided = [policy.decide(cells.frame_of(b), np.random.default_rng(0)).offload for b in range(4)]
        np.testing.assert_array_equal(decided, chosen)
        cells.step(np.random.default_rng(0).random((4, 3)) < 0.5)


def test_cells_restart_in_the_step_that_ends_their_worlds_and_tell_what_was_seen_last() -> None:
    from quedge.environment.offloading import OffloadingVectorEnv
    from quedge.experiments.model_free.training import StableBaselinesEnv

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
    from quedge.environment.offloading import OffloadingEnv, OffloadingVectorEnv
    from quedge.experiments.model_free.training import StableBaselinesEnv

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
