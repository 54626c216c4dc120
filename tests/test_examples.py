"""The scripts of `examples/` that train with other libraries, with small settings."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

import quedge
from quedge.model.scenario import Scenario

EXAMPLES = Path(__file__).parent.parent / "examples"
NEEDS = {
    "rllib_ppo": "ray.rllib.algorithms.ppo",
    "stable_baselines3_ppo": "stable_baselines3",
    "single_file_ppo": "torch",
    "torchrl_ppo": "torchrl",
}


def loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_every_script_that_trains_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py") if not path.stem.startswith("own_")} == NEEDS.keys()


@pytest.mark.parametrize("name", NEEDS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # the libraries' own
def test_a_script_trains_and_compares(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gymnasium")
    pytest.importorskip(NEEDS[name], exc_type=ImportError)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    compared: quedge.Comparison = loaded(name, monkeypatch).main(Scenario(devices=2), experience=512, frames=20)
    assert list(compared.summaries) == ["best-pair", "PPO", "exact"]
    assert 0.0 < compared.means("PPO")["objective_ratio"].mean <= 1.0
