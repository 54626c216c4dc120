from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from quedge.allocation.greedy import NomaGreedy
from quedge.model.cell import cell_of
from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.model.uplink import frame_objective
from quedge.policy.exact import Exact
from quedge.policy.policy import Policy
from quedge.simulation.processes import Recorded
from quedge.simulation.run import simulate
from quedge.simulation.trace import Trace
from quedge.simulation.vector_cells.action import Actions, powers_action, powers_of_shares
from quedge.simulation.vector_cells.cells import VectorCells
from quedge.simulation.vector_cells.observation import Reward, observation_bounds, reward_unit

FRAMES = 40
SECURED = Scenario(devices=4, suite="level3", device="stm32f411", frame_s=0.5)
CELLS = [
    Scenario(),
    Scenario(devices=1),
    SECURED,
    Scenario(devices=60),  # beyond what is sorted by insertion
    Scenario(devices=4, doppler_hz=0.05, shadowing_db=6.0),
    Scenario(devices=4, estimate_error=0.1),
    Scenario(devices=4, residual_sic_share=0.05),
    Scenario(devices=4, queue_exponent=0.4, frame_s=0.5),
    Scenario(devices=3, estimate_error=(0.0, 0.1, 0.3), residual_sic_share=0.01, doppler_hz=0.1, shadowing_db=3.0),
    dataclasses.replace(SECURED, estimate_error=0.2, residual_sic_share=0.02),
]
RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class ExactChoice:
    """Offloads as the exact policy does, and allocates greedily."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        return NomaGreedy().allocate(frame, Exact().decide(frame, rng).offload)


@dataclass(frozen=True)
class ExactRounded:
    """The exact policy's powers and frequencies, to the precision of an action."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        decision = Exact().decide(frame, rng)
        devices = frame.cell.devices
        offload, (transmit, frequency) = np.empty(devices, np.bool_), np.empty((2, devices))
        powers_of_shares(frame, powers_action(frame.cell, decision), offload, transmit, frequency)
        return decision._replace(offload=offload, transmit_power_w=transmit, cpu_frequency_hz=frequency)


def action_of(kind: Actions, frame: Frame) -> Any:
    decision = Exact().decide(frame, RNG)
    return decision.offload if kind is Actions.OFFLOAD else powers_action(frame.cell, decision)


def assert_same_run(cells: VectorCells, traces: list[Trace]) -> None:
    """Deciding as the traces' policy does, the cells go through the same run, bit for bit."""
    for t in range(cells.frames):
        state = cells.states()
        stepped, _ = cells.step([action_of(cells.actions, cells.frame_of(b)) for b in range(cells.cells)])
        for values in (state, stepped):
            for name in set(values._fields) - {"reward"}:
                expected = np.stack([getattr(trace, name)[t] for trace in traces])
                np.testing.assert_array_equal(getattr(values, name), expected, err_msg=f"{name} of frame {t}")
    assert cells.ended
    state = cells.states()
    np.testing.assert_array_equal(state.data_queue_mbit, np.stack([trace.end.data_queue_mbit for trace in traces]))
    np.testing.assert_array_equal(state.energy_queue, np.stack([trace.end.energy_queue for trace in traces]))


@pytest.mark.parametrize("scenario", CELLS, ids=repr)
@pytest.mark.parametrize(("kind", "policy"), [(Actions.OFFLOAD, ExactChoice()), (Actions.POWERS, ExactRounded())])
def test_cells_run_as_simulate_does_with_their_seeds(scenario: Scenario, kind: Actions, policy: Policy) -> None:
    seeds = [3, 0, 11]
    cells = VectorCells(scenario, len(seeds), FRAMES, kind)
    assert cells.restart(seeds) == seeds
    assert_same_run(cells, [simulate(scenario, policy, FRAMES, seed) for seed in seeds])


def test_a_world_after_the_first_is_simulate_s_with_the_seed_that_is_told() -> None:
    cells = VectorCells(Scenario(devices=3), 2, FRAMES)
    cells.restart([5, 6])
    seeds = cells.restart([None, None])
    assert_same_run(cells, [simulate(Scenario(devices=3), ExactChoice(), FRAMES, seed) for seed in seeds])
    again = VectorCells(Scenario(devices=3), 2, FRAMES)
    again.restart([6, 5])
    assert again.restart([None, None]) == seeds[::-1]


def test_recorded_channels_and_arrivals_are_played() -> None:
    scenario = Scenario(devices=2)
    recorded = simulate(scenario, ExactChoice(), FRAMES, 9)
    channel, arrivals = Recorded(recorded.channel_gain), Recorded(recorded.arrival_mbit)
    cells = VectorCells(scenario, 1, FRAMES, channel=channel, arrivals=arrivals)
    cells.restart([0])
    assert_same_run(cells, [recorded])


@pytest.mark.parametrize(
    ("kind", "action"), [(Actions.OFFLOAD, [1, 1, 0]), (Actions.POWERS, [1.0, 1.0, -1.0, 0.0, 0.0, 0.0])]
)
def test_a_device_out_of_coverage_computes_locally_whatever_an_action_says(kind: Actions, action: list[float]) -> None:
    channel, arrivals = Recorded(np.array([[0.0, 1e-10, 1e-11]] * 3)), Recorded(np.full((3, 3), 5.0))
    scenario = Scenario(devices=3, estimate_error=0.1)
    cells = VectorCells(scenario, 1, 3, kind, channel=channel, arrivals=arrivals)
    cells.restart([0])
    for _ in range(2):
        result, seen = cells.step(np.array([action]))
    assert result.offload.tolist() == [[False, True, False]]
    assert result.transmit_power_w[0, 0] == 0.0
    assert result.cpu_frequency_hz[0, 0] > 0.0
    assert np.isfinite(result.objective).all()
    assert seen[0, 0] == -16.0


@pytest.mark.parametrize("scenario", CELLS, ids=repr)
def test_rewards_are_the_objective_or_drift_plus_penalty_in_the_scenario_s_unit(scenario: Scenario) -> None:
    cell, unit = cell_of(scenario), reward_unit(scenario)
    by_objective, by_drift = (VectorCells(scenario, 2, FRAMES, reward=reward) for reward in Reward)
    for cells in (by_objective, by_drift):
        cells.restart([1, 2])
    paid = np.zeros(2)
    for _ in range(FRAMES):
        before = by_drift.states()
        action = RNG.random((2, scenario.devices)) < 0.3
        stepped, _ = by_drift.step(action)
        np.testing.assert_array_equal(by_objective.step(action)[0].reward, stepped.objective / unit)
        for b in range(2):
            rate, power = stepped.rate_mbps[b], stepped.power_w[b]
            queues = before.data_queue_mbit[b], before.energy_queue[b]
            expected = frame_objective(cell, *queues, stepped.offload[b], rate, power)
            assert stepped.objective[b] == expected
        paid += stepped.reward * unit - cell.v * stepped.rate_mbps @ cell.weight
    left = by_drift.states()
    power = 1.0 + scenario.queue_exponent
    waiting = scenario.frame_s * (left.data_queue_mbit / scenario.frame_s) ** power / power
    owed = (waiting + left.energy_queue**2 / 2.0).sum(axis=1)
    np.testing.assert_allclose(paid, -owed, rtol=1e-9)


def test_the_unit_is_the_objective_of_carrying_away_what_arrives() -> None:
    assert reward_unit(Scenario()) == pytest.approx(sum((20.0 * c + 3.0) * 3.0 for c in (1.5, 1.0) * 5))
    assert reward_unit(Scenario(arrival_rate_mbps=0.0)) == 1.0


@pytest.mark.parametrize("reward", list(Reward))
def test_observations_and_rewards_do_not_know_the_frame_s_length(reward: Reward) -> None:
    scenario = Scenario(devices=3, pqc_power_w=0.02)
    second, quarter = (
        VectorCells(dataclasses.replace(scenario, frame_s=length), 2, FRAMES, reward=reward) for length in (1.0, 0.25)
    )
    for cells in (second, quarter):
        cells.restart([1, 2])
    for _ in range(FRAMES):
        action = RNG.random((2, 3)) < 0.3
        (here, seen_here), (there, seen_there) = second.step(action), quarter.step(action)
        np.testing.assert_array_equal(seen_there, seen_here)
        np.testing.assert_array_equal(there.reward, here.reward)


@pytest.mark.parametrize("estimate_error", [0.0, 0.3])
def test_observations_are_told_gains_data_queues_and_energy_queues_on_a_logarithmic_scale(
    estimate_error: float,
) -> None:
    scenario = Scenario(devices=2, estimate_error=estimate_error)
    cells = VectorCells(scenario, 2, FRAMES)
    cells.restart([1, 2])
    for _ in range(FRAMES):
        _, seen = cells.step(RNG.random((2, 2)) < 0.5)
        np.testing.assert_array_equal(seen, cells.observations())
        state = cells.states()
        assert (state.channel_estimate == state.channel_gain).all() == (estimate_error == 0.0)
        gain = np.log10(state.channel_estimate / cell_of(scenario).noise_w) - 3.0
        data, energy = 0.5 * np.log1p(state.data_queue_mbit), 0.25 * np.log1p(scenario.nu * state.energy_queue)
        np.testing.assert_allclose(seen, np.concatenate((gain, data, energy), axis=1), rtol=1e-6, atol=1e-6)


def test_observations_are_cut_at_their_bounds() -> None:
    gains = np.array([[1e-300, 1e6]] * 3)
    cells = VectorCells(
        Scenario(devices=2, nu=1e9, max_frequency_hz=1e12), 1, 3, Actions.POWERS,
        channel=Recorded(gains), arrivals=Recorded(np.full((3, 2), 1e300)),
    )  # fmt: skip
    cells.restart([0])
    _, seen = cells.step(np.array([[1.0, -1.0, 1.0, 1.0]]))
    np.testing.assert_array_equal(seen[0, :4], [-16.0, 16.0, 16.0, 16.0])
    assert seen[0, 5] == 16.0
    low, high = observation_bounds(cells.scenario)
    np.testing.assert_array_equal(low, [-16.0, -16.0, 0.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(high, [16.0] * 6)
    assert low.dtype == high.dtype == seen.dtype


@pytest.mark.parametrize("scenario", [Scenario(), Scenario(estimate_error=0.3, residual_sic_share=0.01)], ids=repr)
def test_the_optimum_is_that_of_the_frame_to_be_decided_as_it_is_told(scenario: Scenario) -> None:
    cells = VectorCells(scenario, 2, FRAMES)
    cells.restart([1, 2])
    for _ in range(5):
        cells.step(np.zeros((2, 10)))
        best = cells.optimum()
        for b in range(2):
            decision = Exact(1e-4).decide(cells.frame_of(b), RNG)
            assert (best.objective[b], best.upper_bound[b]) == (decision.objective, decision.upper_bound)


def test_what_is_handed_out_is_not_what_the_cells_go_on_with() -> None:
    first, second = (VectorCells(Scenario(devices=2), 1, 5) for _ in range(2))
    for cells in (first, second):
        cells.restart([0])
    for t in range(4):
        frame = first.frame_of(0)
        for values in (frame.channel_gain, frame.data_queue_mbit, frame.energy_queue):
            values[:] = 1e-9
        results = [cells.step([[t % 2, 1]]) for cells in (first, second)]
        np.testing.assert_array_equal(results[0][1], results[1][1])


def test_states_that_were_handed_out_do_not_change_with_the_cells() -> None:
    cells = VectorCells(Scenario(devices=2, estimate_error=0.1), 1, 3)
    cells.restart([0])
    cells.step([[0, 1]])
    state = cells.states()
    kept = [values.copy() for values in state]
    cells.step([[1, 0]])
    cells.restart([1])
    for values, before in zip(state, kept, strict=True):
        np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize(
    ("kind", "actions", "wrong"),
    [
        (Actions.OFFLOAD, [[0, 2]], r"actions: 2 is not allowed; it must be 0 or 1"),
        (Actions.OFFLOAD, [[0, np.nan]], r"actions: nan is not allowed; it must be 0 or 1"),
        (Actions.OFFLOAD, [0, 1], r"actions: shape \(2,\) of int64 is not allowed; it must be numbers of \(1, 2\)"),
        (Actions.OFFLOAD, [["a", "b"]], r"actions: shape \(1, 2\) of <U1 is not allowed"),
        (Actions.POWERS, [[0, 1]], r"it must be numbers of \(1, 4\)"),
        (Actions.POWERS, [[0, 0, 0, 1.01]], r"actions: 1.01 is not allowed; it must be a number from -1 to 1"),
        (Actions.POWERS, [[0, 0, 0, np.nan]], r"actions: nan is not allowed; it must be a number from -1 to 1"),
    ],
)
def test_bad_actions_are_refused(kind: Actions, actions: Any, wrong: str) -> None:
    cells = VectorCells(Scenario(devices=2), 1, 3, kind)
    cells.restart([0])
    with pytest.raises(ValueError, match=wrong):
        cells.step(actions)


def test_no_frame_is_decided_before_a_world_begins_or_after_it_has_ended() -> None:
    cells = VectorCells(Scenario(devices=2), 1, 1)
    with pytest.raises(ValueError, match="restart it"):
        cells.step([[0, 0]])
    cells.restart([0])
    cells.step([[0, 0]])
    with pytest.raises(ValueError, match="frame: 1 is not allowed; the world has 1 frames: restart it"):
        cells.step([[0, 0]])


def test_bad_numbers_of_cells_frames_and_seeds_are_refused() -> None:
    for cells, frames, wrong in ((0, 1, "cells: 0"), (1, 0, "frames: 0"), (1, True, "frames: True"), (1.5, 1, "cells")):
        with pytest.raises(ValueError, match=wrong):
            VectorCells(Scenario(), cells, frames)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="seeds: 1 of them are not allowed; there must be 2"):
        VectorCells(Scenario(), 2, 1).restart([0])
    with pytest.raises(ValueError, match="seed: -1 is not allowed"):
        VectorCells(Scenario(), 1, 1).restart([-1])
