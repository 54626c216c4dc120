"""The frame loop: one seed one run, the same world for all, and decisions that are charged and checked."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from quedge.allocation.greedy import NomaGreedy
from quedge.model.cell import cell_of, path_gain
from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, AllOffload, BestSingle, Random
from quedge.policy.exact import Exact
from quedge.policy.policy import Policy
from quedge.simulation.processes import ExponentialArrivals, Recorded, RicianFading
from quedge.simulation.run import simulate
from quedge.simulation.trace import Trace
from quedge.simulation.world import draw_world, random_streams
from tests import oracle
from tests.policies import every_policy

SMALL = Scenario(devices=4, pqc_power_w=0.01)


def everything_but_time(trace: Trace) -> dict[str, Any]:
    fields = {field.name: getattr(trace, field.name) for field in dataclasses.fields(trace)}
    fields |= {f"note {name}": values for name, values in trace.notes.items()}
    fields |= trace.end._asdict()
    apart = ("decision_us", "wall_s", "seed", "notes", "end", "note solver_us")
    return {name: value for name, value in fields.items() if name not in apart}


@every_policy
def test_one_seed_gives_the_same_run_bit_for_bit(policy: Policy) -> None:
    once, again = (everything_but_time(simulate(SMALL, policy, frames=60, seed=7)) for _ in range(2))
    for name, value in once.items():
        np.testing.assert_array_equal(value, again[name], err_msg=name)


@every_policy
def test_every_policy_meets_the_same_world(policy: Policy) -> None:
    world = draw_world(SMALL, 40, seed=3)
    trace = simulate(SMALL, policy, frames=40, seed=3)
    np.testing.assert_array_equal(trace.channel_gain, world.channel_gain)
    np.testing.assert_array_equal(trace.arrival_mbit, world.arrival_mbit)


def test_another_seed_gives_another_run() -> None:
    here, there = (simulate(SMALL, Random(), frames=40, seed=seed) for seed in (1, 2))
    assert (here.channel_gain != there.channel_gain).all()
    assert (here.arrival_mbit != there.arrival_mbit).all()
    assert (here.offload != there.offload).any()


def test_channel_arrivals_and_policy_draw_from_streams_of_their_own() -> None:
    streams = random_streams(5)
    first = [stream.random(50) for stream in streams]
    assert len({tuple(draws) for draws in first}) == 5
    alone = random_streams(5)
    alone.policy.random(1000)  # however much a policy draws
    alone.arrivals.random(1000)
    np.testing.assert_array_equal(alone.channel.random(50), first[0])


def test_a_recorded_channel_leaves_the_arrivals_as_they_were() -> None:
    recorded = Recorded(np.full((30, 4), 1e-11))
    with_recording = simulate(SMALL, AllLocal(), frames=30, seed=9, channel=recorded)
    without = simulate(SMALL, AllLocal(), frames=30, seed=9)
    np.testing.assert_array_equal(with_recording.arrival_mbit, without.arrival_mbit)
    np.testing.assert_array_equal(with_recording.channel_gain, recorded.values)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mean_fading_equals_the_path_gain(share: float) -> None:
    scenario = Scenario(line_of_sight_share=share)
    gain = RicianFading().sample(scenario, 20_000, np.random.default_rng(1))
    # Rician power has variance (1 − share)(1 + share) of its squared mean; five standard errors of 20,000 frames
    allowed = 5.0 * np.sqrt((1.0 - share**2) / 20_000) + 1e-12
    assert (np.abs(gain.mean(axis=0) / path_gain(scenario) - 1.0) <= allowed).all()
    assert (np.abs(gain.var(axis=0) / path_gain(scenario) ** 2 - (1.0 - share**2)) <= 0.15).all()


def test_mean_arrivals_equal_rate_times_frame_length() -> None:
    scenario = Scenario(devices=3, frame_s=0.5, arrival_rate_mbps=[1.0, 3.0, 0.0])
    arrivals = ExponentialArrivals().sample(scenario, 40_000, np.random.default_rng(1))
    np.testing.assert_allclose(arrivals.mean(axis=0), [0.5, 1.5, 0.0], rtol=0.025)  # five standard errors
    np.testing.assert_allclose(arrivals.std(axis=0), [0.5, 1.5, 0.0], rtol=0.05)  # an exponential's equals its mean


@every_policy
@pytest.mark.parametrize("frame_s", [1.0, 0.25, 3.0])
def test_queues_follow_what_was_charged_whatever_the_frame_s_length(policy: Policy, frame_s: float) -> None:
    scenario = dataclasses.replace(SMALL, frame_s=frame_s)
    trace = simulate(scenario, policy, frames=25, seed=2)
    cell = cell_of(scenario)
    queue, energy = np.zeros(4), np.zeros(4)
    for t in range(trace.frames):
        np.testing.assert_allclose(trace.data_queue_mbit[t], queue, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(trace.energy_queue[t], energy, rtol=1e-9, atol=1e-9)
        frame = Frame(cell, trace.channel_gain[t], trace.data_queue_mbit[t], trace.energy_queue[t])
        in_turn = trace.time_share[t] if (trace.time_share[t] != trace.offload[t]).any() else None
        brings = oracle.evaluate(frame, trace.offload[t], trace.transmit_power_w[t], trace.cpu_frequency_hz[t], in_turn)
        np.testing.assert_allclose(trace.rate_mbps[t], brings.rate_mbps, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(trace.power_w[t], brings.power_w, rtol=1e-12)
        assert trace.objective[t] == pytest.approx(brings.objective, rel=1e-9, abs=1e-9)
        assert (trace.rate_mbps[t] * frame_s <= trace.data_queue_mbit[t] * (1.0 + 1e-12)).all()  # causality
        queue = np.maximum(trace.data_queue_mbit[t] - frame_s * trace.rate_mbps[t], 0.0) + trace.arrival_mbit[t]
        energy = np.maximum(trace.energy_queue[t] + cell.nu * (trace.power_w[t] - cell.power_budget_w), 0.0)


def test_the_trace_keeps_a_policy_s_own_bound() -> None:
    exact = simulate(SMALL, Exact(tolerance=1e-3), frames=30, seed=1)
    assert (exact.upper_bound >= exact.objective * (1.0 - 1e-9)).all()
    assert (exact.upper_bound <= exact.objective * (1.0 + 1.001e-3) + 1e-12).all()
    assert {str(status) for status in exact.status} == {"ok"}
    assert np.isnan(simulate(SMALL, BestSingle(), frames=5).upper_bound).all()


def test_progress_is_reported_up_to_the_last_frame() -> None:
    done: list[int] = []
    simulate(SMALL, AllLocal(), frames=450, progress=done.append)
    assert done == sorted(done)
    assert done[-1] == 450


@dataclasses.dataclass(frozen=True)
class LongestQueue:
    """A policy of one's own: only the device with the most data offloads."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        offload = np.zeros(frame.cell.devices, dtype=np.bool_)
        offload[np.argmax(frame.data_queue_mbit)] = True
        return NomaGreedy().allocate(frame, offload)


def test_a_policy_of_one_s_own_runs_like_any_other() -> None:
    trace = simulate(SMALL, LongestQueue(), frames=200, seed=4)
    assert (trace.offload.sum(axis=1) == 1).all()
    assert trace.rate_mbps[100:].mean() > simulate(SMALL, AllOffload(), frames=200, seed=4).rate_mbps[100:].mean() * 0.1


@dataclasses.dataclass(frozen=True)
class Bad:
    """All-offload with one field of its decision replaced from frame 3 on."""

    field: str
    value: Any
    base: Policy = AllOffload()

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        decision = self.base.decide(frame, rng)
        if frame.data_queue_mbit.sum() == 0.0 or rng.random() < 0.5:  # the first frame, and about half of the others
            return decision
        return decision._replace(**{self.field: self.value})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("offload", np.ones(3, dtype=np.bool_), r"offload: shape \(3,\) is not allowed; it must be \(4,\)"),
        ("transmit_power_w", 0.1, r"transmit_power_w: shape \(\) is not allowed"),
        ("cpu_frequency_hz", np.zeros((1, 4)), r"cpu_frequency_hz: shape \(1, 4\) is not allowed"),
        ("transmit_power_w", np.array([0.0, np.nan, 0.0, 0.0]), r"transmit_power_w\[1\]: nan is not allowed; .*0\.1"),
        ("transmit_power_w", np.array([0.0, 0.0, 0.11, 0.0]), r"transmit_power_w\[2\]: 0.11 is not allowed; .*0\.1"),
        ("transmit_power_w", np.array([-1e-3, 0.0, 0.0, 0.0]), r"transmit_power_w\[0\]: -0.001 is not allowed"),
        ("cpu_frequency_hz", np.array([0.0, 0.0, 0.0, 1e8]), r"cpu_frequency_hz\[3\]: .*device 3 offloads"),
        ("cpu_frequency_hz", np.array([0.0, np.nan, 0.0, 0.0]), r"cpu_frequency_hz\[1\]: nan is not allowed"),
        ("time_share", 0.5, r"time_share: shape \(\) is not allowed"),
        ("time_share", np.array([0.1, 0.1, -0.2, 0.1]), r"time_share\[2\]: -0.2 is not allowed"),
        ("time_share", np.array([0.1, np.nan, 0.2, 0.1]), r"time_share\[1\]: nan is not allowed"),
        ("time_share", np.array([0.5, 0.25, 0.5, 0.0]), r"time_share: shares of 1.25 in all are not allowed"),
    ],
)
def test_a_bad_decision_is_refused_with_frame_field_and_device(field: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"decision of frame [1-9]\d*: " + message):
        simulate(SMALL, Bad(field, value), frames=30)


def test_power_of_a_device_that_computes_locally_is_refused() -> None:
    bad = Bad("transmit_power_w", np.array([0.0, 0.05, 0.0, 0.0]), base=AllLocal())
    with pytest.raises(ValueError, match=r"decision of frame \d+: transmit_power_w\[1\]: 0.05 .*computes locally"):
        simulate(SMALL, bad, frames=30)


def test_a_clock_beyond_its_limit_is_refused() -> None:
    bad = Bad("cpu_frequency_hz", np.array([0.0, 0.0, 4e8, 0.0]), base=AllLocal())
    with pytest.raises(ValueError, match=r"cpu_frequency_hz\[2\]: 400000000.0 is not allowed; .* from 0 to 3e\+08"):
        simulate(SMALL, bad, frames=30)


def test_more_than_the_queue_holds_is_never_counted_as_sent() -> None:
    full_power = Bad("transmit_power_w", np.full(4, 0.1))  # far more than these queues need
    trace = simulate(SMALL, full_power, frames=60, seed=1)
    assert (trace.rate_mbps * SMALL.frame_s <= trace.data_queue_mbit).all()
    assert trace.power_w[trace.transmit_power_w == 0.1] == pytest.approx(0.11)  # but all of its power is paid


@pytest.mark.parametrize(
    ("frames", "seed", "message"),
    [
        (0, 0, "frames: 0 is"),
        (-5, 0, "frames: -5"),
        (2.5, 0, "frames: 2.5"),
        (5, -1, "seed: -1 is"),
        (5, True, "seed: True"),
    ],
)
def test_bad_arguments_are_refused_with_their_value(frames: int, seed: int, message: str) -> None:
    with pytest.raises(ValueError, match=message + ".* not allowed; it must be an integer, at least"):
        simulate(SMALL, AllLocal(), frames=frames, seed=seed)


@dataclasses.dataclass(frozen=True)
class Constant:
    """A process that gives what it is told."""

    values: np.ndarray

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> np.ndarray:
        return self.values


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("channel", np.ones((5, 3)), r"channel: shape \(5, 3\) is not allowed; .*\(5, 4\)"),
        ("channel", np.full((5, 4), -1e-9), r"channel: -1e-09 in frame 0, device 0 is not allowed; .*at least 0"),
        ("arrivals", np.full((5, 4), -1.0), r"arrivals: -1.0 in frame 0, device 0 is not allowed; .*at least 0"),
        ("arrivals", np.full((5, 4), np.nan), r"arrivals: nan in frame 0"),
    ],
)
def test_a_process_that_gives_nonsense_is_refused_by_name(name: str, values: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate(SMALL, AllLocal(), frames=5, **{name: Constant(values)})


def test_a_recording_too_short_or_of_other_devices_is_refused() -> None:
    with pytest.raises(ValueError, match=r"walk: frames: 6 frames are not allowed; 5 are recorded"):
        simulate(SMALL, AllLocal(), frames=6, channel=Recorded(np.full((5, 4), 1e-11), "walk"))
    with pytest.raises(ValueError, match=r"walk: devices: 3 recorded devices are not allowed; the scenario has 4"):
        simulate(SMALL, AllLocal(), frames=5, channel=Recorded(np.full((5, 3), 1e-11), "walk"))


@pytest.mark.parametrize("policy", ["exact", AllLocal, None])
def test_what_is_no_policy_is_refused(policy: object) -> None:
    with pytest.raises(ValueError, match=r"policy: .* is not allowed; it must be an object with decide"):
        simulate(SMALL, policy, frames=2)  # type: ignore[arg-type]


class Meddling:
    """Empties the queues that it is shown."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        frame.data_queue_mbit[:] = 0.0
        frame.channel_gain[:] = 1.0
        return AllLocal().decide(frame, rng)


def test_a_policy_that_writes_into_its_frame_does_not_change_the_world() -> None:
    meddled, honest = simulate(SMALL, Meddling(), frames=20, seed=1), simulate(SMALL, AllLocal(), frames=20, seed=1)
    assert np.array_equal(meddled.channel_gain, honest.channel_gain)
    assert (meddled.data_queue_mbit[-1] > 0.0).all()
