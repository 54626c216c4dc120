"""The exact policy's bound over thousands of states, against decisions that are known to be feasible.

No feasible decision may exceed a valid bound, so no oracle is needed here and the states can be many: enough to fall on
the rare ones, where limits cross or kinks are straddled, that each part of the bound is there for.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from quedge import BestPair, Exact, Scenario, Status, simulate
from quedge.model.cell import cell_of, path_gain
from quedge.model.frame import Frame
from quedge.model.split import no_split
from quedge.model.terms import Terms, frame_terms, highest_level
from quedge.policy.exact.bound import bound_from_above
from quedge.policy.exact.exact import solve_chain, solve_terms
from quedge.policy.exact.lattice import full_lattice
from quedge.policy.exact.path import polish
from quedge.policy.policy import check_decision

RNG = np.random.default_rng


def wide_ranging_chain(rng: np.random.Generator) -> Terms:
    """Two to five devices, with gains, queues, energy queues and powers over orders of magnitude."""
    devices = int(rng.integers(2, 6))
    cell = cell_of(Scenario(devices=devices, max_transmit_power_w=float(10.0 ** rng.uniform(-3.0, 0.0))))
    gain = path_gain(Scenario(devices=devices)) * rng.exponential(size=devices) * 10.0 ** rng.uniform(-1.0, 2.0)
    data_queue = rng.exponential(10.0 ** rng.uniform(0.0, 1.5), devices)
    return frame_terms(cell, gain, data_queue, rng.exponential(10.0 ** rng.uniform(-1.0, 1.5), devices))


@pytest.mark.parametrize("cells", [2, 3, 5, 8])
def test_the_bound_of_a_coarse_lattice_is_above_the_best_decision_of_2000_states(cells: int) -> None:
    rng = RNG(7)
    for _ in range(2_000):
        terms = wide_ranging_chain(rng)
        _, _, objective, _ = solve_chain(terms, 1e-6)
        highest = 1.0
        for k in range(terms.device.size):
            highest = highest_level(terms, k, highest)
        steepest = np.maximum.accumulate(terms.rate_value[::-1])[::-1].copy()
        lattice = full_lattice(terms.device.size, highest, cells, math.inf)
        bound = bound_from_above(terms, lattice, steepest)
        assert bound.unused[0] >= objective * (1.0 - 1e-9)


@pytest.mark.parametrize("scenario", [Scenario(), Scenario(pqc_power_w=0.05, nu=10.0), Scenario(devices=30)])
def test_no_pair_and_no_coarser_answer_beats_the_bound_in_a_closed_loop(scenario: Scenario) -> None:
    trace = simulate(scenario, Exact(), 1_000, seed=3)
    fine, pair, rng = Exact(tolerance=1e-6), BestPair(), RNG(0)
    for t in range(trace.frames):
        frame = Frame(cell_of(scenario), trace.channel_gain[t], trace.data_queue_mbit[t], trace.energy_queue[t])
        answer = fine.decide(frame, rng)
        assert answer.status == Status.OK
        assert answer.upper_bound is not None
        assert answer.upper_bound >= max(pair.decide(frame, rng).objective, trace.objective[t]) * (1.0 - 1e-12)
        assert trace.upper_bound[t] >= answer.objective * (1.0 - 1e-12)


def test_two_modes_that_are_worth_the_same_do_not_hide_the_optimum() -> None:
    """Where the energy queue is empty, a device that can clear its queue either way is indifferent between them."""
    rng = RNG(11)
    cell = cell_of(Scenario(devices=6))
    for _ in range(500):
        gain = path_gain(Scenario(devices=6)) * rng.exponential(size=6)
        energy_queue = rng.exponential(6.0, 6) * (rng.random(6) < 0.5)
        frame = Frame(cell, gain, rng.exponential(3.0, 6), energy_queue)
        fine = Exact(tolerance=1e-9).decide(frame, rng)
        assert fine.upper_bound is not None
        assert fine.upper_bound >= BestPair().decide(frame, rng).objective * (1.0 - 1e-12)
        assert fine.upper_bound >= Exact().decide(frame, rng).objective * (1.0 - 1e-12)


@pytest.mark.parametrize("devices", [100, 1_000])
@pytest.mark.parametrize("mean_queue_mbit", [0.5, 8.0])
def test_many_devices_are_solved_to_the_gap(devices: int, mean_queue_mbit: float) -> None:
    rng = RNG(5)
    scenario = Scenario(devices=devices)
    for _ in range(5):
        gain = path_gain(scenario) * rng.exponential(size=devices)
        queues = rng.exponential(mean_queue_mbit, devices), rng.exponential(6.0, devices)
        assert Exact().decide(Frame(cell_of(scenario), gain, *queues), rng).status == Status.OK


def tied_chain(rng: np.random.Generator) -> tuple[Terms, np.ndarray]:
    """Four offloaders, two of them at their limits, so that they move with the first; and their levels."""
    n, before = 4, 1.0
    growth, step, level = 1.0 + rng.exponential(size=n), rng.exponential(size=n), np.empty(n)
    for k, share in enumerate((rng.uniform(0.1, 0.9), 1.0, 1.0, rng.uniform(0.1, 0.9))):
        before += share * (min(growth[k] * before, before + step[k]) - before)
        level[k] = before
    value = rng.exponential(size=n) * np.array([9.0, 9.0, 9.0, 1.0])
    none = np.zeros(n)
    return Terms(np.arange(n), value, rng.exponential(0.1, n), none, none, growth, step, none, no_split()), level


def test_offloaders_that_are_moved_up_together_never_pass_the_one_that_stays() -> None:
    for seed in range(20_000):
        terms, level = tied_chain(RNG(seed))
        polish(terms, np.ones(4, np.bool_), level)
        assert (np.diff(level, prepend=1.0) >= 0.0).all(), seed


@pytest.mark.parametrize(("devices", "states"), [(1_000, 40), (10_000, 1)])
def test_levels_never_fall_along_a_chain_of_many_devices(devices: int, states: int) -> None:
    scenario = Scenario(devices=devices, bandwidth_hz=2e5 * devices)
    cell = cell_of(scenario)
    for seed in range(states):
        rng = RNG(seed)
        gain = path_gain(scenario) * rng.exponential(size=devices) * 10.0 ** rng.uniform(-1.0, 1.0)
        data_queue = rng.exponential(10.0 ** rng.uniform(-1.0, 1.2), devices)
        frame = Frame(cell, gain, data_queue, rng.exponential(10.0 ** rng.uniform(-1.0, 1.5), devices))
        offload, level, objective, upper_bound = solve_terms(frame_terms(*frame), 1e-3)
        assert (np.diff(level, prepend=1.0) >= 0.0).all()
        assert (np.diff(level, prepend=1.0)[~offload] == 0.0).all()
        assert 0.0 < objective <= upper_bound
        check_decision(cell, Exact().decide(frame, rng))
