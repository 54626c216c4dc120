from __future__ import annotations

import importlib.util
import math
from typing import Any

import numpy as np
import pytest

from quedge.errors import MissingExtraError
from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.simulation.comparison import Comparison, compare
from quedge.simulation.estimates import estimate, with_margin
from quedge.simulation.processes import Recorded
from quedge.simulation.run import simulate

SCENARIO = Scenario(devices=3)
POLICIES = {"all-local": AllLocal(), "<best>": BestSingle()}
WALL = {"wall_s", "decision_us_p50", "decision_us_p99"}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(POLICIES, SCENARIO, frames=20, seeds=[3, 1, 7])


def test_a_compared_run_is_the_run_alone(comparison: Comparison) -> None:
    for name, policy in POLICIES.items():
        for seed in (3, 1, 7):
            alone, compared = simulate(SCENARIO, policy, 20, seed).summary(), comparison.summaries[name][seed]
            for measure in set(vars(alone)) - WALL - {"decisions_timed"}:
                assert getattr(compared, measure) == getattr(alone, measure), measure
    assert comparison.seeds == (3, 1, 7)


def test_means_and_paired_differences_are_those_over_the_seeds(comparison: Comparison) -> None:
    local, best = ([each.power_w for each in runs.values()] for runs in comparison.summaries.values())
    assert comparison.means("<best>")["power_w"] == estimate(best)
    paired = estimate([b - a for a, b in zip(local, best, strict=True)])
    assert comparison.differences("<best>")["power_w"] == paired


def test_a_table_has_a_row_per_policy_and_difference(comparison: Comparison) -> None:
    head, *rows, caption = str(comparison).splitlines()
    assert head.split("  ")[-1] == "of the optimum"
    assert [row.strip().split("  ")[0] for row in rows] == ["all-local", "<best>", "<best> - all-local"]
    assert len({len(row) for row in (head, *rows)}) == 1
    assert f" {with_margin(comparison.means('<best>')['data_queue_mbit'])} " in rows[1]
    assert rows[2].endswith(f" {with_margin(comparison.differences('<best>')['objective_ratio'])}")
    assert caption.startswith("3 devices, 3 seeds, frames 10 to 20; means ± half")
    assert repr(comparison) == "Comparison(all-local, <best>; 3 seeds, 20 frames)"
    shown = comparison._repr_html_()
    assert "<td>&lt;best&gt; - all-local</td>" in shown
    assert shown.count("<tr>") == 4


def test_recordings_are_played() -> None:
    gain = np.full((5, 3), 1e-9)
    played = compare({"local": AllLocal()}, SCENARIO, 4, 2, channel=Recorded(gain), arrivals=Recorded(gain), warmup=0.0)
    first, second = played.summaries["local"].values()
    assert first.data_queue_mbit == second.data_queue_mbit
    assert played.seeds == (0, 1)


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ({"policies": {}}, "policies: {} is not allowed; it must be a mapping"),
        ({"policies": ["exact"]}, r"policies: \['exact'\] is not allowed"),
        ({"policies": {"exact": "exact"}}, "policy: 'exact' is not allowed"),
        ({"scenario": "cell"}, "scenario: 'cell' is not allowed; it must be a Scenario"),
        ({"seeds": 1}, "seeds: 1 is not allowed; it must be a number of seeds or a list of them"),
        ({"seeds": [2, 2]}, r"seeds: \[2, 2\] is not allowed; .* at least 2, all different"),
        ({"seeds": 2.5}, r"seeds: 2\.5 is not allowed"),
        ({"seeds": True}, "seeds: True is not allowed"),
        ({"seeds": [0, -1]}, "seeds: -1 is not allowed"),
        ({"frames": 0}, "frames: 0 is not allowed"),
        ({"warmup": 1.0}, r"warmup: 1\.0 is not allowed"),
    ],
)
def test_bad_arguments_are_refused(keys: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        compare(**{"policies": POLICIES, "scenario": SCENARIO, "frames": 2} | keys)


class Overdriven:
    """Asks for more than a device has."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        decision = AllLocal().decide(frame, rng)
        return decision._replace(cpu_frequency_hz=np.full(frame.cell.devices, np.nan))


def test_a_decision_that_is_not_allowed_names_its_policy() -> None:
    with pytest.raises(ValueError, match=r"^overdriven: decision of frame 0: cpu_frequency_hz\[0\]: nan"):
        compare({"fine": AllLocal(), "overdriven": Overdriven()}, SCENARIO, frames=2)


def test_progress_counts_the_frames_of_all_seeds() -> None:
    told: list[tuple[str, int]] = []
    policies = {"a": AllLocal(), "b": AllLocal()}
    compare(policies, SCENARIO, frames=2, seeds=2, progress=lambda name, done: told.append((name, done)))
    assert told == [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("a", 3), ("a", 4), ("b", 3), ("b", 4)]


def test_a_data_frame_has_a_row_per_policy_and_measure(comparison: Comparison) -> None:
    pytest.importorskip("pandas")
    table = comparison.to_pandas().set_index(["policy", "measure"])
    assert table.attrs["units"]["delay_frames"] == "frames"
    assert table.attrs["seeds"] == [3, 1, 7]
    row = table.loc[("<best>", "power_w")]
    assert row["low"] == comparison.means("<best>")["power_w"].low
    assert row["difference_high"] == comparison.differences("<best>")["power_w"].high
    assert math.isnan(table.loc[("all-local", "power_w")]["difference"])


def test_without_pandas_the_extra_is_named(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"Comparison\.to_pandas needs pandas, .*'quedge\[pandas\]'"):
        comparison.to_pandas()
