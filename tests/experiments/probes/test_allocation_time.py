from __future__ import annotations

import numpy as np
import pytest

from quedge.allocation.noma_greedy import NomaGreedy
from quedge.allocation.noma_sca import NomaSca
from quedge.experiments.findings import Series
from quedge.experiments.job import Job
from quedge.experiments.probes.allocation_time import AllocationTime
from quedge.model.scenario import Scenario

PROBE = AllocationTime(settle=5)


def test_it_times_as_many_calls_as_the_job_has_frames() -> None:
    found = Job(Scenario(devices=4), NomaSca(), 0, 7, PROBE).run()
    times = found["time_us_of_call"]
    assert isinstance(times, Series)
    assert times.at.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert found["time_us"] == pytest.approx(times.value.mean())
    assert found["time_us_sd"] == pytest.approx(np.std(times.value, ddof=1))
    assert 0.0 < found["solver_us"] <= found["time_us"]
    assert found["rounds"] >= 1.0
    assert found["fallbacks"] == 0.0


def test_an_allocator_without_rounds_has_no_solver() -> None:
    found = Job(Scenario(devices=4), NomaGreedy(), 0, 1, PROBE).run()
    assert "solver_us" not in found
    assert found["time_us_sd"] == 0.0


def test_nothing_else_may_run_meanwhile() -> None:
    assert PROBE.alone
