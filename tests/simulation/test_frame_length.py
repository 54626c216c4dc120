"""A cell in frames of another length is the same cell: its decisions, its delay in frames, its power."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestPair
from quedge.policy.exact import Exact
from quedge.policy.policy import Learner, Policy
from quedge.simulation.measures import summarise
from quedge.simulation.run import simulate
from quedge.simulation.trace import Trace
from tests.policies import every_policy

CELL = Scenario(devices=4, pqc_power_w=0.02, estimate_error=0.05, residual_sic_share=1e-3)
ALIKE = ("offload", "transmit_power_w", "cpu_frequency_hz", "rate_mbps", "power_w")


def assert_same_course(trace: Trace, of_a_second: Trace, relative: float) -> None:
    """Equal decisions; data queues and objectives are T times, energy queues √T times those of frames of a second."""
    length = trace.scenario.frame_s
    scales = dict.fromkeys(ALIKE, 1.0)
    scales |= dict.fromkeys(("arrival_mbit", "data_queue_mbit", "objective", "promised_objective"), length)
    scales |= {"energy_queue": math.sqrt(length)}
    for name, scale in scales.items():
        here, there = getattr(trace, name), scale * getattr(of_a_second, name)
        size = float(np.abs(there).max())
        np.testing.assert_allclose(here, there, rtol=relative, atol=relative * size, err_msg=name)


@every_policy
@pytest.mark.parametrize("frame_s", [1.0 / 4.0, 1.0 / 64.0])
def test_a_run_in_shorter_frames_takes_the_same_course_to_the_bit(policy: Policy | Learner, frame_s: float) -> None:
    # T and √T are powers of two, so that what is scaled is rounded alike
    second = simulate(CELL, policy, frames=60, seed=3)
    assert_same_course(simulate(dataclasses.replace(CELL, frame_s=frame_s), policy, frames=60, seed=3), second, 0.0)


@pytest.mark.parametrize("policy", [Exact(), BestPair()], ids=repr)
@pytest.mark.parametrize("frame_s", [0.1, 0.01])
def test_a_run_in_shorter_frames_takes_the_same_course_but_for_rounding(policy: Policy, frame_s: float) -> None:
    # Without a CPU: while a device's energy queue is empty, to compute and to offload all that waits are worth the
    # same, and rounding would choose.
    uplink = Scenario(devices=4, max_frequency_hz=0.0, arrival_rate_mbps=1.5, power_budget_w=0.01)
    second, shorter = (
        simulate(dataclasses.replace(uplink, frame_s=length), policy, frames=300, seed=1) for length in (1.0, frame_s)
    )
    assert second.energy_queue.max() > 10.0
    assert_same_course(shorter, second, 1e-9)


@pytest.mark.parametrize("frame_s", [0.1, 0.01])
def test_shorter_frames_have_the_same_power_and_their_share_of_the_delay(frame_s: float) -> None:
    second, shorter = (
        summarise(simulate(Scenario(frame_s=length), Exact(), frames=4_000, seed=1)) for length in (1.0, frame_s)
    )
    assert shorter.power_w == pytest.approx(second.power_w, rel=0.01)
    assert shorter.delay_frames == pytest.approx(second.delay_frames, rel=0.05)
    assert shorter.data_queue_mbit == pytest.approx(frame_s * second.data_queue_mbit, rel=0.1)
