"""Every device an agent, for PettingZoo."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import pytest

from quedge.errors import MissingExtraError
from quedge.model.scenario import Scenario
from quedge.simulation.vector_cells.action import Actions

pytest.importorskip("pettingzoo")
from quedge.environment.offloading import OffloadingEnv
from quedge.pettingzoo import parallel_env

CELL = Scenario(devices=3)
EVERYTHING = Scenario(devices=3, server_frequency_hz=1e9, battery_j=2.0, estimate_error=0.1, queue_exponent=1.5)
every_cell = pytest.mark.parametrize("scenario", [CELL, EVERYTHING], ids=["paper's", "with all"])
every_action = pytest.mark.parametrize("actions", list(Actions))


@every_cell
@every_action
def test_pettingzoo_s_own_tests_have_nothing_to_say(scenario: Scenario, actions: str) -> None:
    from pettingzoo.test import parallel_api_test, parallel_seed_test

    parallel_api_test(parallel_env(scenario, 20, actions, sharing="own"), num_cycles=50)
    parallel_seed_test(lambda: parallel_env(scenario, 20, actions), num_cycles=10)


@every_cell
@pytest.mark.parametrize("actions", [Actions.OFFLOAD, Actions.POWERS])
@pytest.mark.parametrize("reward", ["objective", "drift-plus-penalty"])
def test_it_is_the_same_cell_with_its_actions_apart(scenario: Scenario, actions: Actions, reward: str) -> None:
    keys = {"scenario": scenario, "frames": 6, "actions": actions, "reward": reward}
    shared, own = parallel_env(**keys), parallel_env(sharing="own", **keys)
    one = OffloadingEnv(optimum=False, **keys)
    seen, _ = one.reset(seed=4)
    told, infos = shared.reset(seed=4)
    own.reset(seed=4)
    assert infos["device_1"] == {"seed": 4}
    ended = False
    while not ended:
        assert_sees(told, seen)
        np.testing.assert_array_equal(shared.state(), seen)
        taken = {agent: shared.action_space(agent).sample() for agent in shared.agents}
        action = np.array([taken[f"device_{i}"] for i in range(3)]).T.reshape(-1)
        seen, reward_of_all, _, ended, info = one.step(action)
        told, rewards, terminated, truncated, infos = shared.step(taken)
        parts = own.step(taken)[1]
        assert set(rewards.values()) == {reward_of_all}
        assert sum(parts.values()) == pytest.approx(reward_of_all, rel=1e-9)
        assert not any(terminated.values())
        assert list(truncated.values()) == [ended] * 3
        assert infos["device_2"]["data_queue_mbit"] == info["data_queue_mbit"][2]
        assert infos["device_2"]["objective"] == info["objective"]
    assert len(set(parts.values())) == 3
    assert_sees(told, seen)
    assert shared.agents == []


def assert_sees(told: dict[str, Any], seen: Any) -> None:
    own = seen.reshape(-1, 3).T
    for i in range(3):
        np.testing.assert_array_equal(told[f"device_{i}"], np.concatenate((own[i], own.mean(axis=0))))


def test_it_shows_itself() -> None:
    env = parallel_env(CELL, 5, render_mode="ansi")
    env.reset(seed=1)
    env.step({"device_0": 0, "device_1": 1, "device_2": 0})
    assert "1 of 3 devices offload" in env.render()
    assert parallel_env(CELL).render() is None


def test_what_is_missing_or_over_is_named() -> None:
    env = parallel_env(CELL, 1)
    with pytest.raises(ValueError, match=r"agents: none is left; call reset\(\)"):
        env.step({})
    env.reset(seed=1)
    with pytest.raises(ValueError, match="actions: none of 'device_1'; it must have one of each of 3 agents"):
        env.step({"device_0": 0, "device_2": 1})
    with pytest.raises(ValueError, match="actions: 2 is not allowed; it must be 0 or 1"):
        env.step({"device_0": 0, "device_1": 2, "device_2": 1})
    with pytest.raises(ValueError, match="sharing: 'half' is not allowed; it must be one of shared, own"):
        parallel_env(sharing="half")


def test_without_pettingzoo_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "quedge.pettingzoo")
    with pytest.raises(MissingExtraError, match=r"quedge\.pettingzoo needs PettingZoo, .*'quedge\[pettingzoo\]'"):
        importlib.import_module("quedge.pettingzoo")
