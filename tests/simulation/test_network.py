"""Several cells on one band: alone where they are far apart, and disturbed by what the others radiate."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import quedge
from quedge.model.cell import cell_of
from quedge.policy.baselines import AllLocal, AllOffload, BestSingle
from quedge.policy.lydroo import EQUIVARIANT
from quedge.policy.policy import Policy
from quedge.simulation.measures import frame_optima
from quedge.simulation.network import cell_parts, gains_to_others, server_positions
from quedge.simulation.run import run_in_world, simulate
from quedge.simulation.training import begin_training
from quedge.simulation.vector_cells.cells import VectorCells
from quedge.simulation.world import draw_world, neighbour_stream

CELLS = quedge.Scenario(devices=9, cells=3, cell_distance_m=700.0)


def test_servers_stand_on_a_hexagonal_grid() -> None:
    places = server_positions(7, 500.0)
    distance = np.linalg.norm(places[:, np.newaxis] - places, axis=2)
    np.testing.assert_allclose(distance[0, 1:], 500.0)
    np.testing.assert_allclose(np.sort(distance[1])[1:4], 500.0)  # the middle one, and both beside it


def test_far_apart_each_cell_runs_as_if_alone() -> None:
    far = dataclasses.replace(CELLS, cell_distance_m=1e8)
    world = draw_world(far, 60, seed=4)
    together = run_in_world(far, BestSingle(), world, seed=4)
    for m in range(3):
        own = slice(3 * m, 3 * m + 3)
        alone = world._replace(
            channel_gain=world.channel_gain[:, own].copy(), arrival_mbit=world.arrival_mbit[:, own].copy(),
            channel_estimate=None,
        )  # fmt: skip
        trace = run_in_world(far.cell(m), BestSingle(), alone, seed=4)
        np.testing.assert_allclose(together.data_queue_mbit[:, own], trace.data_queue_mbit, rtol=1e-6)
        np.testing.assert_allclose(together.power_w[:, own], trace.power_w, rtol=1e-6)


@pytest.mark.parametrize("assumed", ["last", "worst"])
def test_interference_is_what_the_others_radiate_over_their_fading(assumed: str) -> None:
    scenario = dataclasses.replace(CELLS, assumed_interference=assumed)
    world, trace = draw_world(scenario, 40, seed=2), simulate(scenario, quedge.Exact(), 40, seed=2)
    rng, noise_w = neighbour_stream(2), cell_of(scenario).noise_w
    gain = gains_to_others(scenario, rng)
    np.testing.assert_array_equal(gain[np.arange(9), np.repeat(np.arange(3), 3)], 0.0)
    before = np.zeros(3)
    for t in range(40):
        assumed_w = before if assumed == "last" else scenario.per_device("max_transmit_power_w") @ gain
        seen = world.channel_gain[t] * np.repeat(noise_w / (noise_w + assumed_w), 3)
        np.testing.assert_allclose(trace.channel_estimate[t], seen, rtol=1e-12)
        before = trace.transmit_power_w[t] @ (gain * rng.standard_exponential((9, 3)))
        true = world.channel_gain[t] * np.repeat(noise_w / (noise_w + before), 3)
        np.testing.assert_allclose(trace.channel_gain[t], true, rtol=1e-12)


@pytest.mark.parametrize("policy", [quedge.Exact(), AllOffload(), AllLocal()], ids=repr)
def test_a_trace_is_of_all_cells(policy: Policy) -> None:
    trace = simulate(CELLS, policy, 80, seed=1)
    np.testing.assert_array_equal(trace.data_queue_mbit, simulate(CELLS, policy, 80, seed=1).data_queue_mbit)
    optimum = frame_optima(trace)
    np.testing.assert_allclose(optimum, sum(frame_optima(part) for part in cell_parts(trace)))
    assert (trace.promised_objective <= optimum * (1.0 + 1e-3) + 1e-9).all()
    summary = trace.summary()
    assert summary.devices == 9
    if isinstance(policy, quedge.Exact):
        assert summary.objective_ratio == pytest.approx(1.0, abs=1e-3)
        assert (trace.upper_bound >= trace.promised_objective).all()


def test_the_nearer_the_cells_the_longer_the_queues() -> None:
    near, far = (dataclasses.replace(CELLS, cell_distance_m=distance, arrival_rate_mbps=4.0) for distance in (400, 4e3))
    waiting = [simulate(each, quedge.Exact(), 400, seed=1).data_queue_mbit[200:].mean() for each in (near, far)]
    assert waiting[0] > 2.0 * waiting[1]


def test_what_serves_one_cell_refuses_several_by_name() -> None:
    state = [1e-11] * 9, [1.0] * 9, [1.0] * 9
    for refused in (
        lambda: VectorCells(CELLS, 1, 10),
        lambda: quedge.decide(CELLS, *state),
        lambda: quedge.capacity(CELLS),
        lambda: begin_training(EQUIVARIANT, CELLS, 0),
    ):
        with pytest.raises(ValueError, match=r"^cells: 3 is not allowed in .*, which has one cell; it must be 1"):
            refused()
