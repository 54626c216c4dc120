from __future__ import annotations

import math

import numpy as np
import pytest

from quedge.experiments.probes.carried_load import job_precision
from quedge.experiments.probes.secured import SecuredSimulation, costs_of_security
from quedge.experiments.probes.simulation import Simulation
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.region.capacity import capacity
from quedge.simulation.processes import RicianFading
from quedge.simulation.run import simulate
from tests.experiments.jobs import job

SUITE = {"suite": "level3", "device": "stm32f411", "rekey_frames": 2, "record_bytes": 1200}


def test_it_finds_what_both_of_its_parts_find_and_what_security_cost() -> None:
    secured = job(seed=1, frames=40, probe=SecuredSimulation(samples=50), **SUITE).run()
    alone = job(seed=1, frames=40, probe=Simulation(), **SUITE).run()
    bound = capacity(Scenario(devices=2, **SUITE), precision=job_precision(RicianFading(), 40, 50, 1e-3, seed=1))
    assert secured["data_queue_mbit"] == alone["data_queue_mbit"]
    assert secured["capacity_mbps"] == bound.upper.value * 3.0
    assert set(secured) == {
        *alone,
        "capacity_mbps",
        *costs_of_security(simulate(Scenario(**SUITE), BestSingle(), 5), 0),
    }


def test_costs_are_those_of_each_offloading_frame_counted_one_by_one() -> None:
    scenario = Scenario(devices=3, frame_s=0.5, **SUITE)
    trace = simulate(scenario, BestSingle(), frames=50, seed=3)
    power, task, wire = [], [], []
    for t in range(10, 50):
        for i in np.flatnonzero(trace.offload[t] & (trace.rate_mbps[t] > 0.0)):
            task.append(trace.rate_mbps[t, i] * 0.5 * 1e6)
            payload = task[-1] / 8
            wire.append(8 * (payload + math.ceil(payload / 1200) * 22 + 4413 / 2))
            power.append(trace.power_w[t, i] - trace.transmit_power_w[t, i])  # what is drawn beside transmission
    found = costs_of_security(trace, 10)
    assert found["circuit_power_w"] == pytest.approx(np.mean(power), rel=1e-9)
    assert found["circuit_power_p95_w"] == pytest.approx(np.percentile(power, 95), rel=1e-9)
    assert found["sent_payload_factor"] == pytest.approx(sum(task) / sum(wire), rel=1e-12)
    assert found["sent_mbit"] == pytest.approx(np.mean(task) / 1e6, rel=1e-12)
    assumed = sum(task) * 1222 / 1200 + len(task) * 8 * (22 + 4413 / 2)
    assert found["assumed_over_sent"] == pytest.approx(assumed / sum(wire), rel=1e-12)
    assert 1.0 <= found["assumed_over_sent"] < 1.0 + 22 * 8 * len(task) / sum(wire)


def test_where_nobody_offloads_security_costs_nothing_that_could_be_measured() -> None:
    assert costs_of_security(simulate(Scenario(**SUITE), AllLocal(), 5), 0) == {}


def test_a_scenario_without_a_suite_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^suite: None is not allowed"):
        costs_of_security(simulate(Scenario(), BestSingle(), 5), 0)
