from __future__ import annotations

import dataclasses
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from quedge.experiments.fingerprint import code_version, determinants, joint_version, name_of
from quedge.experiments.job import Job
from quedge.experiments.probes.secured import SecuredSimulation
from quedge.experiments.probes.simulation import Simulation
from quedge.files.fingerprint import scenario_object
from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestPair, BestSingle
from quedge.policy.exact import Exact
from quedge.policy.lydroo import Lydroo
from quedge.pqc.profiles import Framing, known_profiles
from quedge.simulation.processes import Recorded
from quedge.simulation.recordings.recording import MunichWalk
from tests.experiments.jobs import job

BASE = job()


@pytest.mark.parametrize(
    "change",
    [
        {"scenario": Scenario(devices=3)},
        {"scenario": Scenario(devices=2, nu=61.0)},
        {"scenario": Scenario(devices=2, weight=(1.0, 2.0))},
        {"scenario": Scenario(devices=2, doppler_hz=0.0)},
        {"scenario": Scenario(devices=2, doppler_hz=(0.1, 0.2))},
        {"scenario": Scenario(devices=2, shadowing_db=6.0)},
        {"scenario": Scenario(devices=2, estimate_error=0.1)},
        {"scenario": Scenario(devices=2, residual_sic_share=0.1)},
        {"policy": BestPair()},
        {"policy": Exact()},
        {"policy": Exact(tolerance=1e-4)},
        {"policy": Lydroo()},
        {"policy": Lydroo(batch=31)},
        {"seed": 1},
        {"frames": 21},
        {"probe": Simulation(points=5)},
        {"channel": MunichWalk()},
        {"channel": Recorded(np.ones((20, 2)))},
        {"arrivals": Recorded(np.ones((20, 2)))},
        {"arrivals": Recorded(np.full((20, 2), 2.0))},
    ],
    ids=str,
)
def test_everything_that_findings_depend_on_changes_the_name(change: dict[str, Any]) -> None:
    assert name_of(dataclasses.replace(BASE, **change)) != name_of(BASE)


def test_different_jobs_have_different_names() -> None:
    jobs = [job(seed, nu=nu) for seed in range(3) for nu in (1.0, 2.0)]
    assert len({name_of(each) for each in jobs}) == 6


def test_defaults_written_out_are_the_same_cell() -> None:
    written = Scenario(devices=2, weight=(1.5, 1.0), distance_m=[120.0, 255.0], arrival_rate_mbps=(3.0, 3.0))
    assert name_of(dataclasses.replace(BASE, scenario=written)) == name_of(BASE)


def test_the_name_is_the_same_in_another_process() -> None:
    program = (
        "from tests.experiments.jobs import job; from quedge.experiments.fingerprint import name_of; "
        "print(name_of(job()))"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == name_of(BASE)


def test_what_determines_a_cell_is_plain_json() -> None:
    found = json.loads(json.dumps(determinants(dataclasses.replace(BASE, policy=Lydroo()))))
    assert found["scenario"]["nu"] == 60.0
    assert found["scenario"]["weight"] == [1.5, 1.0]
    assert found["scenario"]["power_budget_w"] == 0.08
    assert found["policy"]["class"] == "quedge.policy.lydroo.agent.Lydroo"
    assert found["policy"]["allocator"]["class"] == "quedge.allocation.greedy.NomaGreedy"


class Nameless:
    """A policy that does not tell what it depends on."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        return BestSingle().decide(frame, rng)


def test_a_policy_that_does_not_tell_its_settings_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Nameless: is not allowed in an experiment .* must be a dataclass"):
        name_of(Job(Scenario(), Nameless(), 0, 10, Simulation()))


class Pair(NamedTuple):
    """A policy that is a named tuple."""

    size: int = 1

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        return BestSingle().decide(frame, rng)


class OtherPair(NamedTuple):
    """Another one with the same fields."""

    size: int = 1

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        return BestPair().decide(frame, rng)


def test_named_tuples_are_told_apart_by_their_class() -> None:
    names = {name_of(dataclasses.replace(BASE, policy=policy)) for policy in (Pair(), OtherPair(), Pair(2))}
    assert len(names) == 3


def test_the_code_of_a_policy_of_ones_own_is_part_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "mypolicies.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    names = set()
    for body in ("return 1", "return 2"):
        source = "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Mine:\n    def decide(self, *_):\n"
        module.write_text(f"{source}        {body}\n")
        mine = importlib.reload(importlib.import_module("mypolicies")).Mine()
        names.add(name_of(dataclasses.replace(BASE, policy=mine)))
    assert len(names) == 2


def test_suites_that_come_to_the_same_constants_but_send_other_records_are_different_cells() -> None:
    names, constants = set(), []
    for record_bytes, header, fixed in ((16_384, 6, 38), (32_768, 28, 16)):  # with the tag of 16 bytes, 22 and 44
        profiles = known_profiles().with_rows(framings=[Framing("own", fixed, header)])
        scenario = Scenario(
            devices=2, suite="level3", device="stm32f411", framing="own", record_bytes=record_bytes, rekey_frames=1,
            profiles=profiles,
        )  # fmt: skip
        names.add(name_of(dataclasses.replace(BASE, scenario=scenario, probe=SecuredSimulation())))
        constants.append(scenario_object(scenario))
    assert constants[0] == constants[1]
    assert len(names) == 2


def test_a_helper_of_a_policy_of_ones_own_is_part_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "helped.py").write_text(
        "from dataclasses import dataclass\nimport helping\n@dataclass(frozen=True)\nclass Mine:\n"
        "    def decide(self, *_):\n        return helping.x\n"
    )
    names = set()
    for body in ("x = 1", "x = 2"):
        (tmp_path / "helping.py").write_text(body)
        mine = importlib.reload(importlib.import_module("helped")).Mine()
        names.add(name_of(dataclasses.replace(BASE, policy=mine)))
        (tmp_path / "helping.py").write_text("x = 3")  # what is changed later is not what runs here
        names.add(name_of(dataclasses.replace(BASE, policy=mine)))
    assert len(names) == 2


def test_jobs_of_one_code_have_its_version_together_and_others_one_of_their_own() -> None:
    versions = [
        joint_version(jobs) for jobs in ([BASE], [BASE, job(1)], [BASE, dataclasses.replace(BASE, policy=Lydroo())])
    ]
    assert versions[0] == versions[1] == code_version(BASE)
    assert versions[2] not in versions[:2]
