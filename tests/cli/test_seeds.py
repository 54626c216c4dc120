"""`quedge run --seeds`: the runs of several seeds side by side."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quedge.cli.seeds import Run, run_seeds, seed_objects
from quedge.errors import not_allowed
from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle, Random
from quedge.policy.exact import Exact
from quedge.simulation.estimates import estimate
from quedge.simulation.measures import summarise
from quedge.simulation.run import simulate
from tests.cli.in_process import main_in

CELL = Scenario(devices=2)
POLICIES = {"exact": Exact(), "random": Random()}


def run_of(policies: Any, frames: int = 300) -> Run:
    return Run("default", CELL, policies, frames, None, None, 0.5, "npz")


def test_each_seed_runs_as_it_does_alone(tmp_path: Path) -> None:
    runs = run_seeds(run_of(POLICIES), range(3, 6), 2, tmp_path, lambda name, done: None)
    assert list(runs) == [3, 4, 5]
    for seed, measured in runs.items():
        for name, policy in POLICIES.items():
            alone = summarise(simulate(CELL, policy, 300, seed))
            assert measured[name].summary.data_queue_mbit == alone.data_queue_mbit
            assert measured[name].summary.seed == seed
            with np.load(tmp_path / f"seed-{seed}" / f"trace-{name}.npz") as arrays:
                np.testing.assert_array_equal(arrays["power_w"], simulate(CELL, policy, 300, seed).power_w)


def test_objects_tell_means_intervals_and_paired_differences() -> None:
    runs = run_seeds(run_of(POLICIES), range(4), 1, None, lambda name, done: None)
    summaries = {name: {seed: measured[name].summary for seed, measured in runs.items()} for name in POLICIES}
    exact, random = seed_objects(summaries)
    queues = {name: [each.data_queue_mbit for each in of.values()] for name, of in summaries.items()}
    assert exact["seeds"] == [0, 1, 2, 3]
    assert exact["data_queue_mbit"] == {key: getattr(estimate(queues["exact"]), key) for key in ("mean", "low", "high")}
    paired = estimate([b - a for a, b in zip(queues["exact"], queues["random"], strict=True)])
    assert random["reference"] == "exact"
    assert random["differences"]["data_queue_mbit"]["low"] == pytest.approx(paired.low)
    assert "differences" not in exact


def test_progress_counts_the_frames_of_all_seeds() -> None:
    told: list[int] = []
    run_seeds(run_of({"best-single": BestSingle()}), range(3), 2, None, lambda name, done: told.append(done))
    assert told == sorted(told)
    assert told[-1] == 900


class Fails:
    """Fails under seed 1, once seed 0 runs, which nothing else would end."""

    def __init__(self) -> None:
        self.asked = 0
        self.other_runs = threading.Event()

    def new_agent(self, devices: int, rng: np.random.Generator) -> Fails | Runs:
        return self if rng.random() < 0.5 else Runs(self)

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        assert self.other_runs.wait(60.0)
        raise not_allowed("frame", 1, "another one")


class Runs:
    def __init__(self, other: Fails) -> None:
        self.other = other

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        self.other.asked += 1
        self.other.other_runs.set()
        return AllLocal().decide(frame, rng)


def test_a_seed_that_fails_ends_the_others_and_leaves_nothing(tmp_path: Path) -> None:
    policy, frames = Fails(), 10_000_000
    with pytest.raises(ValueError, match="fails: frame: 1 is not allowed"):
        run_seeds(run_of({"fails": policy}, frames), range(2), 2, tmp_path / "out", lambda name, done: None)
    assert policy.asked < frames
    assert list(tmp_path.iterdir()) == []


def test_the_command_compares_over_seeds_and_keeps_each_run(tmp_path: Path) -> None:
    common = ["run", "--policy", "exact", "--policy", "all-local", "--frames", "40", "--seeds", "2", "--seed", "5"]
    shown = main_in(tmp_path, *common, "--out", "runs", "--no-figure")
    assert shown.returncode == 0, shown.stderr
    assert "all-local - exact" in shown.stdout
    assert "seeds 5 to 6" in shown.stdout
    files = {str(path.relative_to(tmp_path / "runs")) for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    each = {"summary.json", "scenario.toml", "trace-exact.csv", "trace-all-local.csv"}
    assert files == {"summary.json"} | {f"seed-{seed}/{name}" for seed in (5, 6) for name in each}
    told = [json.loads(line) for line in main_in(tmp_path, *common, "--json").stdout.splitlines()]
    kept = json.loads((tmp_path / "runs" / "summary.json").read_text())
    assert [each["policy"] for each in told] == ["exact", "all-local"]
    assert [each["power_w"] for each in told] == [each["power_w"] for each in kept]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", "2"], "--workers: 2 is not allowed without --seeds"),
        (["--seeds", "1"], "'--seeds': '1' is not allowed"),
    ],
)
def test_bad_options_are_refused(options: list[str], message: str, tmp_path: Path) -> None:
    refused = main_in(tmp_path, "run", "--frames", "2", *options)
    assert refused.returncode == 2
    assert message in refused.stderr
