"""A device of gain 0 is out of coverage: it computes locally, and the others do as well as if it were not there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quedge.allocation.allocator import Allocator
from quedge.model.frame import Frame
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, AllOffload, BestPair, BestSingle
from quedge.policy.exact import Exact
from quedge.policy.policy import Learner, Policy
from quedge.simulation.processes import Recorded
from quedge.simulation.run import simulate
from tests import oracle
from tests.frames import drawn_frame
from tests.policies import (
    assert_keeps_limits,
    assert_says_what_it_brings,
    charged,
    decide,
    every_allocator,
    every_policy,
)
from tests.strategies import frames, offloads


@st.composite
def frames_with_absent(draw: st.DrawFn, max_devices: int = 6) -> tuple[Frame, np.ndarray]:
    """A frame and which of its devices are out of coverage, at least one."""
    frame = draw(frames(max_devices=max_devices))
    out = draw(offloads(frame.cell.devices).filter(np.any))
    return frame._replace(channel_gain=np.where(out, 0.0, frame.channel_gain)), out


def covered(frame: Frame, out: np.ndarray) -> Frame:
    """The frame without those that are out of coverage."""
    return Frame(frame.cell.only(np.flatnonzero(~out)), *(values[~out] for values in frame[1:]))


@every_policy
@settings(max_examples=12)
@given(drawn=frames_with_absent())
def test_a_device_out_of_coverage_never_transmits(policy: Policy | Learner, drawn: tuple[Frame, np.ndarray]) -> None:
    frame, out = drawn
    decision = decide(policy, frame)
    assert not decision.offload[out].any()
    assert (decision.transmit_power_w[out] == 0.0).all()
    assert_keeps_limits(frame, decision)
    assert_says_what_it_brings(frame, decision)


@every_allocator
@settings(max_examples=12)
@given(drawn=frames_with_absent(), data=st.data())
def test_an_allocator_that_is_told_to_let_it_offload_lets_it_compute(
    allocator: Allocator, drawn: tuple[Frame, np.ndarray], data: st.DataObject
) -> None:
    frame, out = drawn
    offload = data.draw(offloads(frame.cell.devices))
    told, meant = allocator.allocate(frame, offload | out), allocator.allocate(frame, offload & ~out)
    for name in ("offload", "transmit_power_w", "cpu_frequency_hz", "rate_mbps", "power_w", "objective"):
        assert np.array_equal(getattr(told, name), getattr(meant, name)), name


@pytest.mark.parametrize("policy", [AllLocal(), AllOffload(), BestSingle(), BestPair()], ids=repr)
@settings(max_examples=20)
@given(drawn=frames_with_absent())
def test_the_others_do_as_well_as_if_it_were_not_there(policy: Policy, drawn: tuple[Frame, np.ndarray]) -> None:
    frame, out = drawn
    decision = decide(policy, frame)
    local = decide(AllLocal(), covered(frame, ~out)).objective
    alone = 0.0 if out.all() else decide(policy, covered(frame, out)).objective
    rounding = 1e-9 * oracle.magnitude(frame, charged(frame, decision))
    assert decision.objective == pytest.approx(alone + local, abs=rounding)


@settings(max_examples=30)
@given(drawn=frames_with_absent(max_devices=5))
def test_exact_is_the_best_of_all_decisions_in_which_it_computes(drawn: tuple[Frame, np.ndarray]) -> None:
    frame, out = drawn
    decision = Exact(tolerance=1e-6).decide(frame, np.random.default_rng(0))
    power, frequency = np.zeros(out.size), oracle.best_frequencies(frame)
    offload = np.zeros(out.size, np.bool_)
    if not out.all():
        best = oracle.enumeration(covered(frame, out))
        offload[~out], power[~out], frequency[~out] = best.offload, best.transmit_power_w, best.cpu_frequency_hz
    best_of_all = oracle.evaluate(frame, offload, power, frequency)
    rounding = 1e-9 * oracle.magnitude(frame, best_of_all)
    assert decision.objective >= best_of_all.objective * (1.0 - 1e-6) - rounding
    assert decision.upper_bound is not None
    assert decision.upper_bound >= best_of_all.objective - rounding


def test_a_run_of_many_devices_of_which_some_are_out_of_coverage_closes_its_gap() -> None:
    frame = drawn_frame(60, seed=1)
    gone = np.arange(60) % 3 == 0
    frame = frame._replace(channel_gain=np.where(gone, 0.0, frame.channel_gain))
    decision, alone = decide(Exact(), frame), decide(Exact(), covered(frame, gone))
    local = oracle.evaluate(frame, np.zeros(60, np.bool_), np.zeros(60), oracle.best_frequencies(frame))
    value = oracle.evaluate(covered(frame, ~gone), np.zeros(20, np.bool_), np.zeros(20), local_of(frame, gone))
    assert decision.status == "ok"
    assert decision.objective == pytest.approx(alone.objective + value.objective, rel=2e-3)
    assert decision.objective >= local.objective


def local_of(frame: Frame, gone: np.ndarray) -> np.ndarray:
    return oracle.best_frequencies(frame)[gone]


@pytest.mark.parametrize("policy", [Exact(), AllOffload()], ids=repr)
def test_a_run_goes_through_frames_without_coverage(policy: Policy) -> None:
    gain = np.full((400, 3), 1e-10)
    gain[100:300, 0] = 0.0
    gain[200, :] = 0.0  # nobody is in coverage
    trace = simulate(Scenario(devices=3), policy, 400, channel=Recorded(gain))
    assert not trace.offload[gain == 0.0].any()
    assert (trace.transmit_power_w[gain == 0.0] == 0.0).all()
    assert (trace.rate_mbps[gain == 0.0] > 0.0).any()
    assert np.isfinite(trace.objective).all()
    assert 0.0 < trace.summary().objective_ratio <= 1.0 + 1e-3
