"""What a process loads or compiles before its first cell is no part of the cell's time."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from quedge.experiments.engine import workers
from quedge.experiments.engine.workers import run_job
from quedge.experiments.job import Findings, Job
from quedge.experiments.probes.simulation import Simulation
from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from tests.experiments.jobs import Told, job


@pytest.fixture(autouse=True)
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a fresh process."""
    monkeypatch.setattr(workers, "_warm", set())


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that run, instead of their running."""
    jobs: list[Job] = []

    def note(job: Job) -> Findings:
        jobs.append(job)
        return {"queue": 1.0}

    monkeypatch.setattr(Job, "run", note)
    return jobs


def test_the_first_cell_of_a_kind_follows_a_short_one_that_is_not_timed(
    ran: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers.time, "perf_counter", lambda: float(len(ran)))  # a second for each job that has run
    results = [run_job(job(seed, frames=1_000)) for seed in range(2)]
    assert [each.frames for each in ran] == [50, 1_000, 1_000]
    assert [result.elapsed_s for result in results] == [1.0, 1.0]
    run_job(job(0, Simulation(points=9), frames=20))
    assert [each.frames for each in ran[3:]] == [20, 20]


@dataclass(frozen=True)
class Mine:
    """A policy of a user's own."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        return AllLocal().decide(frame, rng)


def test_a_policy_of_a_users_own_runs_only_when_it_is_asked_for(ran: list[Job]) -> None:
    run_job(Job(Scenario(devices=2), Mine(), 0, 10, Simulation()))
    assert [each.policy for each in ran] == [BestSingle(), Mine()]


def test_a_probe_of_a_users_own_measures_only_when_it_is_asked_for(ran: list[Job]) -> None:
    run_job(job(0, Told()))
    assert len(ran) == 1


def test_what_goes_wrong_before_is_told_by_the_job_itself() -> None:
    result = run_job(job(0, Simulation(warmup=2.0)))
    assert result.findings is None
    assert "warmup" in result.reason


FRESH = """
import gc
from quedge.experiments.engine.workers import warm_up
from quedge.experiments.job import Job
from quedge.experiments.probes.simulation import Simulation
from quedge.model.kernel_compiler import KernelDispatcher
from quedge.model.scenario import Scenario
from quedge.policy.lydroo import Lydroo


def kernels():
    return sum(len(each._entries) for each in gc.get_objects() if isinstance(each, KernelDispatcher))


job = Job(Scenario(devices=3), Lydroo(), 0, 300, Simulation())
warm_up(job)
before = kernels()
job.run()
print(before, kernels())
"""


def test_in_a_fresh_process_all_kernels_are_there_before_a_cell_is_timed(tmp_path: Path) -> None:
    """Those of LyDROO's learning, too, which no first frame needs."""
    script = tmp_path / "cell.py"
    script.write_text(FRESH)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, env=environment)
    before, after = map(int, told.stdout.split())
    assert before == after > 0
