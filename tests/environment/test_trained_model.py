"""What other libraries trained, as quedge's policies."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import quedge
from quedge.errors import MissingExtraError
from quedge.model.scenario import Scenario

gymnasium = pytest.importorskip("gymnasium")
import quedge.gymnasium  # noqa: E402 - needs Gymnasium
from quedge.environment.trained_model import TrainedModel  # noqa: E402
from quedge.environment.vector import OffloadingVectorEnv  # noqa: E402

CELLS = [Scenario(devices=3), Scenario(devices=3, server_frequency_hz=1e9), Scenario(devices=3, battery_j=2.0)]


@dataclass
class Fixed:
    """A model that knows one answer, and keeps what it has seen."""

    observation_space: Any
    action_space: Any
    answer: Any

    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, None]:
        assert deterministic
        self.seen = observation
        return self.answer, None


def fixed(action_space: Any, answer: Any, width: int = 9) -> Fixed:
    return Fixed(gymnasium.spaces.Box(-16.0, 16.0, (width,), np.float32), action_space, np.asarray(answer))


@pytest.mark.parametrize("scenario", [*CELLS, Scenario(devices=3, server_frequency_hz=1e9, battery_j=2.0)], ids=repr)
def test_a_policy_observes_what_the_environment_does(scenario: Scenario) -> None:
    env = gymnasium.make("quedge/Offloading-v0", scenario=scenario, frames=20)
    seen, _ = env.reset(seed=2)
    model = Fixed(env.observation_space, env.action_space, np.array([0, 1, 0]))
    policy = TrainedModel(model)
    for _ in range(20):
        frame = env.unwrapped.frame
        np.testing.assert_array_equal(seen, quedge.gymnasium.observe(frame, scenario))
        decision = policy.decide(frame, np.random.default_rng(0))
        np.testing.assert_array_equal(seen, model.seen)
        seen, _, _, _, info = env.step(model.answer)
        np.testing.assert_array_equal(info["transmit_power_w"], decision.transmit_power_w)


@pytest.mark.parametrize(
    ("space", "answer"),
    [
        (gymnasium.spaces.MultiBinary(3), [1, 0, 1]),
        (gymnasium.spaces.MultiDiscrete([2, 2, 2]), [1, 0, 1]),
        (gymnasium.spaces.Box(-1.0, 1.0, (3,)), [0.2, -0.4, 1.0]),
        (gymnasium.spaces.Discrete(8), 5),
    ],
    ids=str,
)
def test_who_offloads_follows_from_the_space_of_actions(space: Any, answer: Any) -> None:
    env = gymnasium.make("quedge/Offloading-v0", scenario=CELLS[0], frames=1)
    env.reset(seed=2)
    policy = TrainedModel(fixed(space, answer))
    assert policy.devices == 3
    assert policy.decide(env.unwrapped.frame, np.random.default_rng(0)).offload.tolist() == [True, False, True]


def test_a_model_that_decides_powers_runs_as_in_its_environment() -> None:
    env = gymnasium.make("quedge/OffloadingPowers-v0", scenario=CELLS[0], frames=1)
    env.reset(seed=2)
    action = np.array([0.5, -0.5, 0.5, 0.2, -0.3, 1.0], np.float32)
    decision = TrainedModel(fixed(env.action_space, action)).decide(env.unwrapped.frame, np.random.default_rng(0))
    info = env.step(action)[-1]
    for name in ("offload", "transmit_power_w", "cpu_frequency_hz", "rate_mbps", "power_w", "objective"):
        np.testing.assert_allclose(info[name], getattr(decision, name), rtol=1e-12, err_msg=name)


def test_a_model_that_decides_powers_is_refused_where_offloading_is_partial() -> None:
    policy = TrainedModel(fixed(gymnasium.spaces.Box(-1.0, 1.0, (6,)), np.zeros(6, np.float32)))
    with pytest.raises(ValueError, match="offloading: 'partial' is not allowed for a model that decides powers"):
        quedge.simulate(Scenario(devices=3, offloading="partial"), policy, frames=1)


def test_nobody_offloads_out_of_coverage() -> None:
    policy = TrainedModel(fixed(gymnasium.spaces.MultiBinary(3), [1, 1, 0]))
    env = gymnasium.make("quedge/Offloading-v0", scenario=CELLS[0], frames=1)
    env.reset(seed=2)
    frame = env.unwrapped.frame._replace(channel_gain=np.array([0.0, 1e-9, 1e-9]))
    assert policy.decide(frame, np.random.default_rng(0)).offload.tolist() == [False, True, False]


def test_a_trained_model_is_compared_with_others() -> None:
    stable_baselines3 = pytest.importorskip("stable_baselines3")
    cells = quedge.gymnasium.StableBaselinesEnv(OffloadingVectorEnv(2, CELLS[0], 20), seed=0)
    model = stable_baselines3.PPO("MlpPolicy", cells, n_steps=16, batch_size=32, n_epochs=1, seed=0, device="cpu")
    policies = {"best-pair": quedge.BestPair(), "ppo": TrainedModel(model.learn(32))}
    compared = quedge.compare(policies, CELLS[0], frames=20, seeds=2)
    assert 0.0 < compared.means("ppo")["objective_ratio"].mean < compared.means("best-pair")["objective_ratio"].mean


def test_cells_that_begin_episodes_by_themselves_are_refused() -> None:
    pytest.importorskip("stable_baselines3")
    cells = OffloadingVectorEnv(2, CELLS[0], 20, autoreset_mode="SameStep")
    with pytest.raises(ValueError, match=r"cells\.autoreset_mode: 'SameStep' is not allowed; it must be 'NextStep'"):
        quedge.gymnasium.StableBaselinesEnv(cells, seed=0)


def test_another_number_of_devices_is_refused() -> None:
    policy = TrainedModel(fixed(gymnasium.spaces.MultiBinary(3), [1, 1, 0]))
    with pytest.raises(ValueError, match="devices: 4 is not allowed; it must be 3, as many as the model"):
        quedge.simulate(Scenario(devices=4), policy, frames=1)
    frame = gymnasium.make("quedge/Offloading-v0", scenario=Scenario(devices=4), frames=1)
    frame.reset(seed=0)
    with pytest.raises(ValueError, match="frame: 'of 4 devices' is not allowed; it must be of the scenario's 3"):
        quedge.gymnasium.observe(frame.unwrapped.frame, CELLS[0])


def test_what_is_no_model_or_saw_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model: 3 is not allowed; it must be an object with predict\(\)"):
        TrainedModel(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"model\.observation_space: Box.* of 3 devices: 9 to 15 numbers"):
        TrainedModel(fixed(gymnasium.spaces.MultiBinary(3), [1, 1, 0], width=10))


def test_without_stable_baselines3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"StableBaselinesEnv needs .*: pip install 'quedge\[ppo\]'"):
        quedge.gymnasium.StableBaselinesEnv  # noqa: B018 - the look-up is what is tested
