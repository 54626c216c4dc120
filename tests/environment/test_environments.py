from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quedge.environment import IDS, register_environments
from quedge.errors import MissingExtraError
from quedge.model.scenario import Scenario
from quedge.policy.exact import Exact
from quedge.simulation.measures import objective_ratios
from quedge.simulation.run import simulate
from quedge.simulation.trace import Trace

gymnasium = pytest.importorskip("gymnasium")
register_environments()
from quedge.environment.offloading import OffloadingEnv  # noqa: E402 - needs Gymnasium
from quedge.environment.vector import OffloadingVectorEnv  # noqa: E402

every_environment = pytest.mark.parametrize("name", IDS)
CELL = Scenario(devices=3)
IMPERFECT = [
    Scenario(devices=3, estimate_error=0.1, residual_sic_share=0.01, doppler_hz=0.1, shadowing_db=6.0),
    Scenario(devices=3, estimate_error=(0.0, 0.2, 0.4)),
    Scenario(devices=3, residual_sic_share=0.05),
]
TOLD_WHERE_THEY_DIFFER = {"channel_estimate", "promised_rate_mbps", "promised_objective"}
every_channel = pytest.mark.parametrize("scenario", [CELL, *IMPERFECT], ids=repr)


@every_environment
@pytest.mark.parametrize("reward", ["objective", "drift-plus-penalty"])
def test_gymnasium_s_checker_has_nothing_to_say(name: str, reward: str) -> None:
    from gymnasium.utils.env_checker import check_env

    check_env(gymnasium.make(name, frames=20, reward=reward).unwrapped, skip_render_check=True)


@every_environment
def test_the_checker_of_stable_baselines3_has_nothing_to_say(name: str) -> None:
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.env_checker import check_env

    check_env(gymnasium.make(name, frames=20))


def test_stable_baselines3_trains_on_an_environment_as_it_is() -> None:
    stable_baselines3 = pytest.importorskip("stable_baselines3")
    for name in IDS:
        env = gymnasium.make(name, scenario=CELL, frames=20, optimum=False)
        stable_baselines3.PPO("MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=1, device="cpu").learn(32)


@every_channel
def test_an_episode_is_a_run_of_simulate_and_its_info_is_the_trace(scenario: Scenario) -> None:
    env = gymnasium.make("quedge/Offloading-v0", scenario=scenario, frames=30)
    _, info = env.reset(seed=4)
    assert info == {"seed": 4}
    told, ends = [], []
    while not ends or not ends[-1]:
        action = Exact().decide(env.unwrapped.frame, np.random.default_rng(0)).offload
        *_, terminated, truncated, info = env.step(action.astype(np.int8))
        assert not terminated
        ends.append(truncated)
        told.append(info)
    assert ends == [False] * 29 + [True]
    trace = simulate(scenario, Replayed(np.array([each["offload"] for each in told])), 30, 4)
    for name in set(told[0]) & set(Trace.__dataclass_fields__) - {"upper_bound"}:
        np.testing.assert_array_equal([each[name] for each in told], getattr(trace, name), err_msg=name)
    assert told[0].keys() & TOLD_WHERE_THEY_DIFFER == (set() if scenario is CELL else TOLD_WHERE_THEY_DIFFER)
    assert [each["frame"] for each in told] == list(range(30))
    np.testing.assert_allclose([1.0 - each["gap"] for each in told], objective_ratios(trace), rtol=1e-12)
    assert all(each["upper_bound"] >= each["optimal_objective"] for each in told)


class Replayed:
    """Offloads as it is told, frame by frame."""

    def __init__(self, offload: Any) -> None:
        self._left = iter(offload)

    def decide(self, frame: Any, rng: Any) -> Any:
        from quedge.allocation.greedy import NomaGreedy

        return NomaGreedy().allocate(frame, next(self._left))


def test_a_gap_is_zero_where_there_is_nothing_to_win_and_one_where_something_was_lost() -> None:
    from quedge.environment.making import gap

    found = gap(np.array([0.0, -2.0, 3.0, -1.0]), np.array([0.0, 0.0, 4.0, 4.0]))
    np.testing.assert_array_equal(found, [0.0, 1.0, 0.25, 1.25])


@every_environment
@every_channel
@pytest.mark.parametrize(("reward", "optimum"), [("objective", True), ("drift-plus-penalty", False)])
def test_the_vector_environment_equals_as_many_single_ones_bit_for_bit(
    name: str, scenario: Scenario, reward: str, optimum: bool
) -> None:
    keys = {"scenario": scenario, "frames": 7, "reward": reward, "optimum": optimum}
    together = gymnasium.make_vec(name, num_envs=5, vectorization_mode="vector_entry_point", **keys)
    apart = gymnasium.make_vec(name, num_envs=5, vectorization_mode="sync", **keys)
    assert together.observation_space == apart.observation_space
    assert together.action_space == apart.action_space
    assert together.single_observation_space == apart.single_observation_space
    assert together.metadata["autoreset_mode"] is apart.metadata["autoreset_mode"]
    together.action_space.seed(1)
    for seed in (8, None, [4, 4, None, 0, 9]):
        assert_same(together.reset(seed=seed), apart.reset(seed=seed))
        for _ in range(17):  # through two ends of episodes
            actions = together.action_space.sample()
            assert_same(together.step(actions), apart.step(actions))


@pytest.mark.parametrize("longest", [3, 20, -1])
def test_episodes_of_the_vector_environment_are_cut_as_gymnasium_cuts_single_ones(longest: int) -> None:
    keys = {"scenario": CELL, "frames": 5, "optimum": False, "max_episode_steps": longest, "actions": "multidiscrete"}
    together = gymnasium.make_vec("quedge/Offloading-v0", num_envs=2, render_mode=None, **keys)
    apart = gymnasium.make_vec("quedge/Offloading-v0", num_envs=2, vectorization_mode="sync", **keys)
    assert together.action_space == apart.action_space
    assert together.autoreset_mode is together.metadata["autoreset_mode"]
    together.action_space.seed(1)
    assert_same(together.reset(seed=8), apart.reset(seed=8))
    for _ in range(13):  # through two ends of episodes
        actions = together.action_space.sample()
        assert_same(together.step(actions), apart.step(actions))


@pytest.mark.parametrize("optimum", [False, True])
def test_episodes_that_begin_in_the_step_of_an_end_are_those_of_gymnasium_s_vector(optimum: bool) -> None:
    keys = {"scenario": CELL, "frames": 4, "optimum": optimum}
    mode = gymnasium.vector.AutoresetMode.SAME_STEP
    together = gymnasium.make_vec("quedge/Offloading-v0", num_envs=3, autoreset_mode="SameStep", **keys)
    options = {"vectorization_mode": "sync", "vector_kwargs": {"autoreset_mode": mode}}
    apart = gymnasium.make_vec("quedge/Offloading-v0", num_envs=3, **options, **keys)
    assert together.autoreset_mode is mode
    assert together.metadata["autoreset_mode"] is mode
    assert OffloadingVectorEnv.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.NEXT_STEP
    together.action_space.seed(1)
    assert_same(together.reset(seed=8), apart.reset(seed=8))
    ends = 0
    for _ in range(9):  # through two ends of episodes
        actions = together.action_space.sample()
        mine, theirs = together.step(actions), apart.step(actions)
        assert_same(mine, theirs)
        ends += "final_info" in mine[-1]
    assert ends == 2


def test_without_autoreset_only_reset_begins_the_next_episodes() -> None:
    env = gymnasium.make_vec("quedge/Offloading-v0", num_envs=2, autoreset_mode="Disabled", frames=1)
    env.reset(seed=0)
    assert env.step(env.action_space.sample())[3].all()
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(env.action_space.sample())
    env.reset(options={"reset_mask": np.array([True, True])})
    assert env.step(env.action_space.sample())[3].all()


def test_an_unknown_autoreset_mode_is_refused() -> None:
    wrong = "autoreset_mode: 'never' is not allowed; it must be one of NextStep, SameStep, Disabled"
    with pytest.raises(ValueError, match=wrong):
        OffloadingVectorEnv(autoreset_mode="never")


def test_the_spec_has_the_frames_of_an_episode() -> None:
    make, make_vec = gymnasium.make, gymnasium.make_vec
    assert make("quedge/Offloading-v0", frames=20).spec.max_episode_steps == 20
    assert make("quedge/Offloading-v0", frames=20, max_episode_steps=3).spec.max_episode_steps == 3
    assert make_vec("quedge/Offloading-v0", num_envs=2, frames=20).spec.max_episode_steps == 20
    assert make_vec("quedge/Offloading-v0", num_envs=2, frames=20, max_episode_steps=3).spec.max_episode_steps == 3
    again = make(make("quedge/Offloading-v0", frames=20).spec)
    assert again.unwrapped.spec.kwargs["frames"] == 20


def test_wrappers_of_gymnasium_s_know_episodes_and_their_time() -> None:
    env = gymnasium.make("quedge/Offloading-v0", scenario=CELL, frames=5)
    env = gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.wrappers.TimeAwareObservation(env))
    seen, _ = env.reset(seed=0)
    assert seen.shape == (10,)
    rewards = []
    for _ in range(5):
        seen, reward, *_, info = env.step(env.action_space.sample())
        rewards.append(reward)
    assert seen[-1] == 5
    assert info["episode"]["l"] == 5
    assert info["episode"]["r"] == pytest.approx(sum(rewards))


def test_a_pickled_environment_goes_on_alike() -> None:
    for make in (OffloadingEnv, lambda *rest, **keys: OffloadingVectorEnv(2, *rest, **keys)):
        env = make(CELL, 5, render_mode="ansi")
        env.reset(seed=4)
        action = np.zeros(env.action_space.shape, np.int8)
        env.step(action)
        other = pickle.loads(pickle.dumps(env))
        np.testing.assert_equal(env.step(action), other.step(action))
        assert env.render() == other.render()


def test_environments_in_processes_of_their_own_are_the_same() -> None:
    keys = {"num_envs": 2, "scenario": CELL, "frames": 3, "optimum": False}
    together = gymnasium.make_vec("quedge/Offloading-v0", **keys)
    apart = gymnasium.make_vec("quedge/Offloading-v0", vectorization_mode="async", **keys)
    try:
        together.action_space.seed(1)
        assert_same(together.reset(seed=8), apart.reset(seed=8))
        for _ in range(5):
            actions = together.action_space.sample()
            assert_same(together.step(actions), apart.step(actions))
    finally:
        apart.close()


def test_an_episode_of_the_vector_environment_has_a_frame_at_least() -> None:
    with pytest.raises(ValueError, match="max_episode_steps: 0 is not allowed; it must be an integer, at least 1"):
        gymnasium.make_vec("quedge/Offloading-v0", num_envs=2, max_episode_steps=0)


def test_a_multidiscrete_action_decides_as_a_multibinary_one() -> None:
    told = []
    for actions in ("offload", "multidiscrete"):
        env = gymnasium.make("quedge/Offloading-v0", scenario=CELL, frames=5, actions=actions, render_mode=None)
        env.reset(seed=3)
        told.append(env.step(np.array([1, 0, 1], env.action_space.dtype)))
    assert env.action_space == gymnasium.spaces.MultiDiscrete([2, 2, 2])
    np.testing.assert_equal(told[0], told[1])


def assert_same(one: Any, other: Any) -> None:
    *values, infos = one
    *other_values, other_infos = other
    for mine, theirs in zip(values, other_values, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype
    assert infos.keys() == other_infos.keys()
    for key, told in infos.items():
        theirs = other_infos[key]
        as_lists = (list(told), list(theirs)) if key == "final_obs" else (told, theirs)
        np.testing.assert_equal(*as_lists, err_msg=key)


def test_the_vector_environment_leaves_the_optimum_out_unless_it_is_asked_for() -> None:
    env = gymnasium.make_vec("quedge/Offloading-v0", num_envs=2, vectorization_mode="vector_entry_point", frames=3)
    env.reset(seed=0)
    *_, infos = env.step(env.action_space.sample())
    assert "objective" in infos
    assert not {"optimal_objective", "upper_bound", "gap"} & infos.keys()


def test_cells_of_a_vector_environment_are_not_reset_alone() -> None:
    env = gymnasium.make_vec("quedge/Offloading-v0", num_envs=2, vectorization_mode="vector_entry_point")
    with pytest.raises(ValueError, match=r"reset_mask'.*: array.* is not allowed; it must be true of every cell"):
        env.reset(options={"reset_mask": np.array([True, False])})


def test_no_frame_is_decided_without_an_episode() -> None:
    single = gymnasium.make("quedge/Offloading-v0", frames=1).unwrapped
    vector = gymnasium.make_vec("quedge/Offloading-v0", num_envs=2, vectorization_mode="vector_entry_point")
    for env in (single, vector):
        with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
            env.step(env.action_space.sample())
    single.reset()
    assert single.step(single.action_space.sample())[3]
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        single.step(single.action_space.sample())


def test_a_scenario_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "cell.toml"
    file.write_text("devices = 4\n")
    for scenario in (file, str(file), Scenario(devices=4)):
        env = gymnasium.make("quedge/OffloadingPowers-v0", scenario=scenario)
        assert env.action_space.shape == (8,)
        assert env.observation_space.shape == (12,)


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ({"scenario": 3}, "scenario: 3 is not allowed; it must be a Scenario or a scenario file"),
        ({"reward": "rate"}, "reward: 'rate' is not allowed; it must be one of objective, drift-plus-penalty"),
        ({"actions": "all"}, "actions: 'all' is not allowed; it must be one of offload, multidiscrete, powers"),
        ({"frames": 0}, "frames: 0 is not allowed; it must be an integer, at least 1"),
    ],
)
def test_bad_arguments_are_refused(keys: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        gymnasium.make("quedge/Offloading-v0", **keys)


def test_an_environment_is_made_by_its_name_alone_and_registering_twice_is_nothing() -> None:
    program = (
        "import warnings; warnings.simplefilter('error'); import gymnasium\n"
        "print(gymnasium.make('quedge.gymnasium:quedge/Offloading-v0').spec.id)\n"
        "import quedge.gymnasium\n"
        "from quedge.environment import register_environments\n"
        "register_environments()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("quedge/Offloading-v0\n", "")


def test_without_gymnasium_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"quedge\.gymnasium needs Gymnasium, .*: pip install 'quedge\[gym\]'"):
        register_environments()
